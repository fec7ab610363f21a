"""`PictureLayer`: the pictures that a codec's layer gives back, by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.store.file_layers.as_png import AsPng
from taskcodec.store.file_layers.ranges import ItemRanges
from taskcodec.store.format.layer_chunks import get_block
from taskcodec.store.format.packets import split_items
from taskcodec.words import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from taskcodec.codec import Codec
    from taskcodec.coding.symbol_model import Symbols
    from taskcodec.stack.pictures import DecodedPicture
    from taskcodec.store.backend import Blobs
    from taskcodec.store.format.manifest import Manifest

HELD_BYTES = 2**25
"""Of a chunk that is read whole, at most."""


class PictureLayer(AsPng):
    """A layer of a codec of pictures; `store.layer("base")[7]` is the picture of row 7, (H, W, 3) uint8.

    Of a layer that gives a task's answers, and nothing that people could look at, it is these: (channels, H, W)
    float32, in .npy files.

    Reading one reads its own bytes in this layer and in those it depends on, and once for each chunk where its items
    lie; no other layer's. Who goes on to the next row gets a whole chunk at once. Pixels need torch; `symbols` do not.

    Attributes:
        name: of the layer.
        kind: "pictures".
        suffix: of its files: ".png", or ".npy" of answers.
    """

    kind = "pictures"

    def __init__(
        self,
        blobs: Blobs,
        manifest: Manifest,
        codec: Codec,
        name: str,
        places: Callable[[], npt.NDArray[np.int64]],
    ) -> None:
        self._blobs, self._manifest, self._codec, self.name, self._places = blobs, manifest, codec, name, places
        stored = {layer.name: layer for layer in manifest.layers}
        self._realism, self._is_seen = 0.0, codec.pictures.is_seen(name)
        self.suffix = ".png" if self._is_seen else ".npy"
        self._last, self._held = -1, dict[str, tuple[int, list[bytes]]]()
        self._ranges: Mapping[str, ItemRanges] = {
            layer.name: ItemRanges(blobs, partial(manifest.chunk_key, stored[layer.name]), manifest.chunk_rows)
            for layer in codec.needed(name)
        }

    def __repr__(self) -> str:
        return f"<layer {self.name}: {counted(len(self), 'picture')}>"

    def __len__(self) -> int:
        return self._manifest.samples

    def __getitem__(self, row: int) -> npt.NDArray[Any]:
        """The picture of a row, or its answers. Raises CorruptFileError, and UsageError where torch is missing."""
        if not self._is_seen:
            return self._codec.pictures.values(self.decoded(row), self.name)
        return self._codec.pictures.pixels(self.decoded(row), self.name, self._realism)

    def realistic(self, realism: float) -> PictureLayer:
        """The same layer, whose pictures go from faithful (0) to realistic (1), by its codec's second synthesis.

        Raises UsageError where there is none, or realism is not from 0 to 1.
        """
        from taskcodec.stack.pictures import check_realism, transform_of

        check_realism(realism)
        if realism and not transform_of(self._codec.needed(self.name)[-1]).noise_columns:
            raise UsageError(f"{self._blobs.name}: layer {self.name}: its codec has no second synthesis, for realism")
        found = copy(self)
        found._realism, found._held = realism, {}
        return found

    def _file_of(self, picture: npt.NDArray[Any]) -> bytes:
        if self._is_seen:
            return super()._file_of(picture)
        import numpy as np

        found = BytesIO()
        np.save(found, picture)
        return found.getvalue()

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def decoded(self, row: int) -> DecodedPicture:
        """The symbols of this layer, and of those it depends on. Raises CorruptFileError, naming the chunk."""
        if not -len(self) <= row < len(self):
            raise IndexError(f"index {row} is out of range for {counted(len(self), 'sample')}")
        row %= len(self)
        number, place = divmod(row, self._manifest.chunk_rows)
        if row == self._last + 1 and place:
            self._hold(number)
        self._last = row
        try:
            return self._codec.pictures.from_items(lambda name: self._item(name, number, place), self.name)
        except CorruptFileError as error:
            raise CorruptFileError(f"{self._blobs.name}: sample {row}: {error}") from error

    def _item(self, name: str, number: int, place: int) -> bytes:
        held, items = self._held.get(name, (-1, []))
        return items[place] if held == number and place < len(items) else self._ranges[name].item(number, place)

    def _hold(self, number: int) -> None:
        """Read a chunk whole; a damaged one is read item by item, since most of it may be sound."""
        for name, ranges in self._ranges.items():
            if self._held.get(name, (-1, []))[0] != number and ranges.end(number) <= HELD_BYTES:
                self._held[name] = number, []  # a damaged one is not read again for each of its pictures
                with suppress(CorruptFileError):
                    block = get_block(self._blobs, ranges.chunk_key(number))
                    self._held[name] = number, split_items(block, self._manifest.chunk_rows)

    def symbols(self, row: int) -> Symbols:
        """(c, h, w) int32 of this layer alone. Raises CorruptFileError."""
        found: Symbols = self.decoded(row).symbols[self.name][0]
        return found


def check_items(codec: Codec, columns: Sequence[Sequence[bytes]], name: str) -> None:
    """Decode the symbols of a chunk: the items of each layer of the codec. Raises CorruptFileError."""
    layers = [layer.name for layer in codec.layers]
    for row, items in enumerate(zip(*columns, strict=True)):
        own = dict(zip(layers, items, strict=True))
        for layer in layers:
            try:
                codec.pictures.from_items(own.__getitem__, layer)
            except CorruptFileError as error:
                raise CorruptFileError(f"{name}: row {row} of the chunk: {error}") from error

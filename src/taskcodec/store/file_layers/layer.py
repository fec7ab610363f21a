"""`StoreLayer`: what a store keeps of its samples beside their features, by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from taskcodec.errors import CorruptFileError, TaskcodecError, UsageError
from taskcodec.store.file_layers.layout import ORIGINAL, PICTURE, BesideLayer
from taskcodec.store.file_layers.reader import Items
from taskcodec.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from taskcodec.store.backend import Blobs

SUFFIXES = MappingProxyType({PICTURE: ".avif", ORIGINAL: ""})
"""What is added to a sample's id when its item becomes a file."""


def _same(contents: Sequence[bytes]) -> list[bytes]:
    return list(contents)


def _unpacked(contents: Sequence[bytes]) -> list[bytes]:
    from taskcodec.transforms.originals.pack import unpack_all  # which needs Pillow

    return unpack_all(contents)


_OPENED: Mapping[str, Callable[[Sequence[bytes]], list[bytes]]] = {PICTURE: _same, ORIGINAL: _unpacked}
TOGETHER, TOGETHER_BYTES = 64, 2**20
"""Items that are opened at a time, and about how many bytes: small files among them take less time so."""


class StoreLayer:
    """A layer of pictures or originals; `store.layer("picture")[7]` is the file of the sample of row 7.

    Reading one reads its own bytes, and once for each chunk where its items lie; no other layer's.

    Attributes:
        name: of the layer.
        kind: "picture" or "original".
        suffix: of the files: ".avif" of pictures, none of originals, whose ids have their own.
        options: of how it was made, such as the `bytes` of pictures.
        items: samples of the source that it covers, with those that could not be coded.
    """

    def __init__(self, blobs: Blobs, layer: BesideLayer, places: Callable[[], npt.NDArray[np.int64]]) -> None:
        self._blobs, self._layer, self._places = blobs, layer, places
        self._items = Items(blobs, layer)
        self.name, self.kind, self.options = layer.name, layer.kind, dict(layer.options)
        self.items = layer.items
        self.suffix = SUFFIXES[layer.kind]

    def __repr__(self) -> str:
        return f"<layer {self.name}: {counted(self._layer.items, 'sample')} of the source>"

    def __len__(self) -> int:
        return len(self._places())

    def __getitem__(self, row: int) -> bytes:
        """The file of a sample, by row; raises UsageError where the layer has none, CorruptFileError."""
        places = self._places()
        if not -len(places) <= row < len(places):
            raise IndexError(f"index {row} is out of range for {counted(len(places), 'sample')}")
        found = self.of_source(int(places[row]))
        if found is None:
            raise UsageError(f"{self._blobs.name}: its layer {self.name} has nothing of row {row}")
        return found

    def has(self, row: int) -> bool:
        """Whether there is something of the sample of a row."""
        return self._items.length(int(self._places()[row])) > 0

    def of_sources(self, indices: Iterable[int]) -> Iterator[bytes | CorruptFileError | None]:
        """What `of_source` gives of each, or its fault where that is damaged: the others are whole.

        In less time where files are small: a few are opened together.
        """
        return self._opened_all((index, self._item(index)) for index in indices)

    def __iter__(self) -> Iterator[bytes]:
        return (self[row] for row in range(len(self)))

    def of_source(self, index: int) -> bytes | None:
        """The file of a sample by its `source_index`, also of one that could not be coded; None where there is none."""
        if not 0 <= index < self._layer.items:
            return None
        content = self._items.item(index)
        return self._opened(content, index) if content else None

    def verify(self) -> Iterator[str]:
        """Read every byte; a line for each fault."""
        for number in range(self._layer.chunks):
            try:
                contents = self._items.contents(number)
                for found in self._opened_all(enumerate(contents, number * self._layer.chunk_rows)):
                    if isinstance(found, CorruptFileError):
                        yield str(found)
            except TaskcodecError as error:
                yield str(error)

    def _item(self, index: int) -> bytes | CorruptFileError:
        try:
            return self._items.item(index) if 0 <= index < self._layer.items else b""
        except CorruptFileError as error:
            return error

    def _opened_all(
        self, contents: Iterable[tuple[int, bytes | CorruptFileError]]
    ) -> Iterator[bytes | CorruptFileError | None]:
        """The files of samples of the source, None where there is nothing, or the fault of one."""
        for some in _few(contents):
            there = [(index, content) for index, content in some if isinstance(content, bytes) and content]
            found: Iterator[bytes | CorruptFileError]
            try:
                found = iter(_OPENED[self.kind]([content for _, content in there]))
            except CorruptFileError:
                found = (self._opened_or_fault(content, index) for index, content in there)
            for _, content in some:
                yield content if isinstance(content, CorruptFileError) else next(found) if content else None

    def _opened_or_fault(self, content: bytes, index: int) -> bytes | CorruptFileError:
        try:
            return self._opened(content, index)
        except CorruptFileError as error:
            return error

    def _opened(self, content: bytes, index: int) -> bytes:
        try:
            return _OPENED[self.kind]([content])[0]
        except CorruptFileError as error:
            raise CorruptFileError(f"{self._blobs.name}: layer {self.name}, sample {index}: {error}") from error


def _few(
    contents: Iterable[tuple[int, bytes | CorruptFileError]],
) -> Iterator[list[tuple[int, bytes | CorruptFileError]]]:
    """Some of them at a time: few where they are large."""
    some, size = list[tuple[int, bytes | CorruptFileError]](), 0
    for index, content in contents:
        some.append((index, content))
        size += len(content) if isinstance(content, bytes) else 0
        if len(some) == TOGETHER or size > TOGETHER_BYTES:
            yield some
            some, size = [], 0
    yield some

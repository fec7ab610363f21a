"""Reading a layer beside those of the codec: one item by its own bytes, or a chunk."""

from collections import OrderedDict
from itertools import accumulate
from threading import Lock

from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints
from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.file_layers.layout import BesideLayer, unseal
from taskcodec.store.format.layer_chunks import get_block
from taskcodec.store.format.packets import split_items

_LENGTH_BYTES = 5
"""Of an item's length, at most: 2**35 bytes."""
_HEADS = 4096
"""Chunks whose lengths are remembered, a few bytes an item."""


class Items:
    """The items of a layer, by the place of their samples in the source."""

    def __init__(self, blobs: Blobs, layer: BesideLayer) -> None:
        self._blobs, self.layer = blobs, layer
        self._heads: OrderedDict[int, list[int]] = OrderedDict()
        self._lock = Lock()

    def item(self, index: int) -> bytes:
        """What is kept of a sample of the source, b"" for nothing. Raises CorruptFileError."""
        number, row = divmod(index, self.layer.chunk_rows)
        starts = self._starts(number)
        if row + 1 >= len(starts):
            return b""
        start, length = starts[row], starts[row + 1] - starts[row]
        place = f"{self._blobs.name}/{self.layer.chunk_key(number)}"
        if not length:
            return b""
        data = self._blobs.get_range(self.layer.chunk_key(number), start, length)
        if data is None or len(data) != length:
            raise CorruptFileError(f"{place}: missing or truncated")
        return unseal(data, index, place)

    def length(self, index: int) -> int:
        """The bytes of an item of a sample of the source, 0 where there is none."""
        number, row = divmod(index, self.layer.chunk_rows)
        starts = self._starts(number) if 0 <= index < self.layer.items else []
        return starts[row + 1] - starts[row] if row + 1 < len(starts) else 0

    def chunk(self, number: int) -> list[bytes]:
        """The items of a chunk as they lie there, all of those that the layer has; checked as a whole."""
        key, rows = self.layer.chunk_key(number), self.layer.items_of(number)
        block = get_block(self._blobs, key)
        try:
            items = split_items(block, self.layer.chunk_rows)
        except CorruptFileError as error:
            raise CorruptFileError(f"{self._blobs.name}/{key}: {error}") from error
        return [*items, *[b""] * rows][: max(rows, 0)]

    def contents(self, number: int) -> list[bytes]:
        """What is kept of the samples of a chunk. Raises CorruptFileError."""
        first, place = number * self.layer.chunk_rows, f"{self._blobs.name}/{self.layer.chunk_key(number)}"
        return [unseal(item, first + row, place) for row, item in enumerate(self.chunk(number))]

    def _starts(self, number: int) -> list[int]:
        """Where each item of a chunk starts in it, and where the last one ends."""
        with self._lock:
            if number in self._heads:
                self._heads.move_to_end(number)
                return self._heads[number]
        key = self.layer.chunk_key(number)
        head = self._blobs.get_range(key, 0, MAX_VARINT_BYTES + _LENGTH_BYTES * self.layer.chunk_rows)
        place = f"{self._blobs.name}/{key}"
        if head is None:
            raise CorruptFileError(f"{place}: missing")
        ends = [at + 1 for at, byte in enumerate(head) if byte < 128][: 1 + self.layer.chunk_rows]
        count = int(read_varints(head[: ends[0]])[0]) if ends else -1
        if not 0 <= count <= min(len(ends) - 1, self.layer.chunk_rows):
            raise CorruptFileError(f"{place}: damaged (invalid lengths)")
        lengths = read_varints(head[ends[0] : ends[count]]).tolist()
        starts = list(accumulate(lengths, initial=ends[count]))
        with self._lock:
            self._heads[number] = starts
            if len(self._heads) > _HEADS:
                self._heads.popitem(last=False)
        return starts

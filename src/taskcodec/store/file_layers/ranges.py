"""Single items of chunks of packets, each read by its own bytes; where they lie is read once a chunk."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import accumulate
from threading import Lock

from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints
from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs

_LENGTH_BYTES = 5
"""Of an item's length, at most: 2**35 bytes."""
_HEADS = 4096
"""Chunks whose lengths are remembered, a few bytes an item."""


class ItemRanges:
    """Items by the number of their chunk and their row in it.

    Args:
        blobs: where they lie.
        chunk_key: the name of a chunk, by its number.
        chunk_rows: items of a chunk, at most.
    """

    def __init__(self, blobs: Blobs, chunk_key: Callable[[int], str], chunk_rows: int) -> None:
        self._blobs, self.chunk_key, self._chunk_rows = blobs, chunk_key, chunk_rows
        self._heads: OrderedDict[int, list[int]] = OrderedDict()
        self._lock = Lock()

    def item(self, number: int, row: int) -> bytes:
        """An item, b"" for none. Raises CorruptFileError where its bytes are not all there."""
        starts = self._starts(number)
        if row + 1 >= len(starts) or starts[row] == starts[row + 1]:
            return b""
        start, length = starts[row], starts[row + 1] - starts[row]
        data = self._blobs.get_range(self.chunk_key(number), start, length)
        if data is None or len(data) != length:
            raise CorruptFileError(f"{self._blobs.name}/{self.chunk_key(number)}: missing or truncated")
        return data

    def length(self, number: int, row: int) -> int:
        """The bytes of an item, 0 for none."""
        starts = self._starts(number)
        return starts[row + 1] - starts[row] if row + 1 < len(starts) else 0

    def end(self, number: int) -> int:
        """Where the last item of a chunk ends."""
        return self._starts(number)[-1]

    def _starts(self, number: int) -> list[int]:
        """Where each item of a chunk starts in it, and where the last one ends."""
        with self._lock:
            if number in self._heads:
                self._heads.move_to_end(number)
                return self._heads[number]
        key = self.chunk_key(number)
        head = self._blobs.get_range(key, 0, MAX_VARINT_BYTES + _LENGTH_BYTES * self._chunk_rows)
        place = f"{self._blobs.name}/{key}"
        if head is None:
            raise CorruptFileError(f"{place}: missing")
        ends = [at + 1 for at, byte in enumerate(head) if byte < 128][: 1 + self._chunk_rows]
        count = int(read_varints(head[: ends[0]])[0]) if ends else -1
        if not 0 <= count <= min(len(ends) - 1, self._chunk_rows):
            raise CorruptFileError(f"{place}: damaged (invalid lengths)")
        lengths = read_varints(head[ends[0] : ends[count]]).tolist()
        starts = list(accumulate(lengths, initial=ends[count]))
        with self._lock:
            self._heads[number] = starts
            if len(self._heads) > _HEADS:
                self._heads.popitem(last=False)
        return starts

"""One order of all samples, chunk by chunk, and equal shares of it for the processes of a run and their workers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError


@dataclass(frozen=True)
class Share:
    """Which of `count` equal shares a process takes, counted from 0. Raises UsageError where there is none such."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.number < self.count:
            raise UsageError(f"share {self.number} of {self.count}: a process takes one of 0 to the last (rank, ranks)")

    def of(self, total: int) -> range:
        """The places in an order of `total` samples that are this share's, as many as every other's.

        They go on behind the last sample, which stands for the first again.
        """
        length = -(-total // self.count)
        return range(self.number * length, (self.number + 1) * length)


def part_of(places: range, number: int, count: int) -> range:
    """The places that worker `number` of `count` takes: of every process as many as of every other."""
    return places[len(places) * number // count : len(places) * (number + 1) // count]


@dataclass(frozen=True)
class Order:
    """An order of samples in which each chunk is met once.

    Attributes:
        samples: how many there are.
        chunk_rows: samples in a chunk, the last one may be shorter.
        shuffle: whether chunks, and the samples inside each, are in an order of their own.
        key: what that order follows from.
    """

    samples: int
    chunk_rows: int
    shuffle: bool
    key: tuple[int, ...]

    def rows(self, places: range) -> Iterator[npt.NDArray[np.int64]]:
        """The samples at these places of the order, an array for each stretch of one chunk."""
        chunks = np.arange(-(-self.samples // self.chunk_rows))
        if self.shuffle:
            np.random.default_rng(self.key).shuffle(chunks)
        sizes = np.minimum(self.chunk_rows, self.samples - chunks * self.chunk_rows)
        ends = np.cumsum(sizes)
        place = places.start
        while place < places.stop:
            inside = place % self.samples
            at = int(np.searchsorted(ends, inside, side="right"))
            first = inside - int(ends[at] - sizes[at])
            last = min(int(sizes[at]), first + places.stop - place)
            yield self._of_chunk(int(chunks[at]), int(sizes[at]))[first:last]
            place += last - first

    def _of_chunk(self, chunk: int, size: int) -> npt.NDArray[np.int64]:
        rows = chunk * self.chunk_rows + np.arange(size, dtype=np.int64)
        if self.shuffle:  # alike in all who share the chunk
            np.random.default_rng((*self.key, chunk)).shuffle(rows)
        return rows

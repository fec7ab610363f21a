"""Orders of all samples, chunk by chunk, and equal shares of them for the processes of a run and their workers.

chunks, in an order that all processes agree on --Share--> stretches of this process, in an order of its own
--part_of--> those of a worker --rows_of--> rows, those of a few stretches mixed
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.store.symbols import CACHED_CHUNKS

MIXED_CHUNKS = CACHED_CHUNKS // 2
"""Chunks whose rows are mixed: a batch at the end of some still finds these and the next ones in memory."""
Key = tuple[int, ...]
"""What an order follows from."""
Decoded = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]
"""(m,) rows, and their features (m, d)."""


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


def chunks_in_order(samples: int, chunk_rows: int, key: Key | None) -> list[range]:
    """The rows of each chunk, chunks in the order that follows from `key`; as they lie without one."""
    chunks = np.arange(-(-samples // chunk_rows))
    if key is not None:
        np.random.default_rng(key).shuffle(chunks)
    return [range(start, min(start + chunk_rows, samples)) for start in (chunks * chunk_rows).tolist()]


def reordered(stretches: Sequence[range], key: Key | None) -> list[range]:
    """Stretches in an order that follows from `key`."""
    order = range(len(stretches)) if key is None else np.random.default_rng(key).permutation(len(stretches)).tolist()
    return [stretches[place] for place in order]


def cut(stretches: Sequence[range], places: range) -> list[range]:
    """What lies at these places of stretches one behind the other; behind the last, the first follows again."""
    found, start, total = [], 0, sum(map(len, stretches))
    turns = -(-places.stop // total) if total else 0
    for stretch in [*stretches] * turns:
        part = stretch[max(places.start - start, 0) : max(places.stop - start, 0)]
        found += [part] if part else []
        start += len(stretch)
    return found


def rows_of(stretches: Sequence[range], key: Key | None) -> Iterator[npt.NDArray[np.int64]]:
    """The rows of stretches, in arrays: with a key those of a few stretches mixed."""
    random = None if key is None else np.random.default_rng(key)
    size = 1 if random is None else MIXED_CHUNKS
    for first in range(0, len(stretches), size):
        group = [np.arange(part.start, part.stop, dtype=np.int64) for part in stretches[first : first + size]]
        rows = np.concatenate(group)
        if random is not None:
            random.shuffle(rows)
        yield rows


def in_batches(parts: Iterator[Decoded], size: int) -> Iterator[Decoded]:
    """Rows and their features in parts -> the same in parts of `size`, the last one may be shorter."""
    left: Decoded | None = None
    for rows, features in parts:
        if left is not None and len(left[0]):
            rows, features = np.concatenate([left[0], rows]), np.concatenate([left[1], features])
        whole = len(rows) - len(rows) % size
        for start in range(0, whole, size):
            yield rows[start : start + size], features[start : start + size]
        left = rows[whole:], features[whole:]
    if left is not None and len(left[0]):
        yield left

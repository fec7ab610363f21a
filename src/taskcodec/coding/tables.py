"""Frozen integer frequency tables: the entropy model as every decoder sees it.

Each column of the symbols has one table: positive integer counts that sum to 2**16, one for each symbol of a run
first, first + 1, ..., and a last one, the escape, for whatever lies outside. Tables are made once, from floats, by
`freeze_pmf`; from then on they are integers, are shipped as such, and give the same code on every machine.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.varint import read_varints, write_varints
from taskcodec.errors import CorruptFileError

TABLE_BITS = 16
"""The counts of each table sum to 2**TABLE_BITS."""
TOTAL = 1 << TABLE_BITS
ESCAPE_BITS = 32
"""What an escaped symbol costs beyond its escape: the symbol itself, as 32 raw bits."""
MAX_COLUMNS = 1 << 20
MAX_SIZE = 1 << 14


@dataclass(frozen=True, eq=False)
class Tables:
    """One frozen table for each of d columns.

    Attributes:
        first: (d,) the smallest symbol of each column's run.
        sizes: (d,) how many symbols the run has, at least 1.
        counts: (sum(sizes) + d,) for each column its run's counts, then its escape's; each at least 1.
    """

    first: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint32]

    def __post_init__(self) -> None:
        if self.first.shape != self.sizes.shape or self.first.ndim != 1 or (self.sizes < 1).any():
            raise CorruptFileError("tables: every column needs a first symbol and a size of at least 1")
        if self.counts.shape != (int(self.sizes.sum()) + self.sizes.size,) or (self.counts < 1).any():
            raise CorruptFileError("tables: the counts do not fit the sizes, or one is not positive")
        sums = np.add.reduceat(self.counts.astype(np.int64), self.starts[:-1]) if self.columns else np.empty(0)
        if (sums != TOTAL).any():
            raise CorruptFileError(f"tables: a column's counts do not sum to {TOTAL}")

    @property
    def columns(self) -> int:
        """d, the number of columns."""
        return int(self.sizes.size)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """(d + 1,) where each column's counts begin, and where the last end."""
        return np.concatenate([[0], np.cumsum(self.sizes.astype(np.int64) + 1)])

    @cached_property
    def models(self) -> list[Any]:
        """The tables as constriction's models over 0 ... size, the last being the escape.

        `perfect=False` uses only exact or correctly rounded operations on the counts, so the models are the same on
        every machine (`perfect=True` would run a float optimiser).
        """
        categorical = constriction.stream.model.Categorical
        return [categorical(self.column(j) / TOTAL, perfect=False) for j in range(self.columns)]

    def column(self, j: int) -> npt.NDArray[np.uint32]:
        """(size + 1,) counts of column j, the escape last."""
        return self.counts[self.starts[j] : self.starts[j + 1]]

    def checked(self, symbols: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """(n, d) integers -> int32. Raises ValueError on another shape, and on what int32 does not hold."""
        s = np.asarray(symbols)
        if s.ndim != 2 or s.shape[1] != self.columns:
            raise ValueError(f"symbols of shape {s.shape}, {self.columns} tables")
        if s.dtype == np.int32:
            return s
        with np.errstate(invalid="ignore"):
            narrow = s.astype(np.int32)
        if not np.array_equal(narrow, s):
            raise ValueError("symbols are 32-bit integers")
        return narrow

    def slots(self, symbols: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """(n, d) symbols -> (n, d) positions in the tables; symbols outside the run take the escape's."""
        slots = symbols.astype(np.int64) - self.first
        return np.where((slots < 0) | (slots >= self.sizes), self.sizes, slots).astype(np.int32)

    def code_length(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n, d) symbols -> (n,) bits of an ideal coder: -log2(count / 2**16) each, escapes included."""
        slots = self.slots(np.atleast_2d(np.asarray(symbols, dtype=np.int32)))
        bits = (TABLE_BITS - np.log2(self.counts))[slots + self.starts[:-1]]
        return np.asarray(bits.sum(axis=1) + ESCAPE_BITS * (slots == self.sizes).sum(axis=1), dtype=np.float64)

    def to_bytes(self) -> bytes:
        """Compact bytes; equal tables give equal bytes, and tables that were read give the bytes they were read from.

        The latter because builds of zlib differ: hashes over these bytes must hold on a machine with another one.
        """
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        zigzag = (self.first.astype(np.int64) << 1) ^ (self.first.astype(np.int64) >> 63)
        numbers = np.concatenate([[self.columns], zigzag, self.sizes, self.counts]).astype(np.uint64)
        raw = write_varints(numbers)
        return len(raw).to_bytes(4, "little") + zlib.compress(raw, 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrants."""
        length = int.from_bytes(data[:4], "little")
        if len(data) < 5 or length > 64 * MAX_COLUMNS or length > 1100 * len(data):
            raise CorruptFileError("tables: damaged or truncated")
        try:
            inflater = zlib.decompressobj()
            raw = inflater.decompress(data[4:], length + 1)
        except zlib.error as error:
            raise CorruptFileError(f"tables: {error}") from error
        if len(raw) != length or not inflater.eof or inflater.unused_data:
            raise CorruptFileError("tables: damaged or truncated")
        numbers = read_varints(raw)
        d = int(numbers[0]) if numbers.size else -1
        if not 0 <= d <= MAX_COLUMNS or numbers.size < 1 + 2 * d or (numbers >> np.uint64(33)).any():
            raise CorruptFileError("tables: damaged or truncated")
        zigzag, sizes, counts = np.split(numbers[1:].astype(np.int64), [d, 2 * d])
        if (sizes > MAX_SIZE).any() or (counts > TOTAL).any():
            raise CorruptFileError("tables: a table is larger than any of ours")
        first = (zigzag >> 1) ^ -(zigzag & 1)
        tables = cls(first.astype(np.int32), sizes.astype(np.int32), counts.astype(np.uint32))
        tables.__dict__["_encoded"] = bytes(data)
        return tables


def freeze_pmf(first: npt.ArrayLike, pmfs: Sequence[npt.NDArray[np.float64]], escape: float) -> Tables:
    """Round probabilities to counts, once and for all.

    Args:
        first: (d,) the smallest symbol of each column.
        pmfs: for each column the probabilities of its run (need not sum to 1: they are normalised).
        escape: the probability left to symbols outside the run.

    Every count is at least 1; the rest is shared out by the largest remainder.
    """
    columns = [_round_counts(np.append(pmf * ((1 - escape) / pmf.sum()), escape)) for pmf in pmfs]
    sizes = np.array([len(column) - 1 for column in columns], dtype=np.int32)
    counts = np.concatenate(columns) if columns else np.empty(0, np.uint32)
    return Tables(np.asarray(first, dtype=np.int32), sizes, counts.astype(np.uint32))


def tables_from_symbols(symbols: npt.ArrayLike, smoothing: float = 0.5) -> Tables:
    """Tables from counted (n, d) symbols: each column's run spans what was seen, `smoothing` is added to each count."""
    s = np.asarray(symbols, dtype=np.int32)
    first, last = s.min(axis=0), s.max(axis=0)
    pmfs = [
        np.bincount(s[:, j] - first[j], minlength=int(last[j] - first[j]) + 1).astype(np.float64) + smoothing
        for j in range(s.shape[1])
    ]
    return freeze_pmf(first, pmfs, smoothing / (len(s) + smoothing))


def _round_counts(pmf: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if pmf.size > TOTAL // 2:
        raise ValueError(f"a table holds at most {TOTAL // 2} symbols, found {pmf.size}")
    spare = TOTAL - pmf.size
    exact = pmf / pmf.sum() * spare
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: spare - int(counts.sum())]] += 1
    return np.asarray(counts + 1, dtype=np.int64)

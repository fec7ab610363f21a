"""Frozen integer frequency tables: the entropy model as every decoder sees it.

Each column of the symbols has one table: positive integer counts that sum to 2**16, one for each symbol of a run
first, first + 1, ..., and a last one, the escape, for whatever lies outside. Tables are made once, from floats, by
`freeze_pmf`; from then on they are integers, are shipped as such, and give the same code on every machine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.escapes import pop_escapes, push_escapes
from taskcodec.coding.packed import pack_numbers, unpack_numbers, unzigzag, zigzag
from taskcodec.coding.symbol_model import Given, SymbolModel, as_rows, checked_symbols, from_rows
from taskcodec.errors import CorruptFileError

TABLE_BITS = 16
"""The counts of each table sum to 2**TABLE_BITS."""
TOTAL = 1 << TABLE_BITS
ESCAPE_BITS = 32
"""What an escaped symbol costs beyond its escape: the symbol itself, as 32 raw bits."""
MAX_COLUMNS = 1 << 20
MAX_SIZE = 1 << 14


@dataclass(frozen=True, eq=False)
class Tables(SymbolModel):
    """One frozen table for each of d columns, which are the channels of symbols (n, d, *space).

    Attributes:
        first: (d,) the smallest symbol of each column's run.
        sizes: (d,) how many symbols the run has, at least 1.
        counts: (sum(sizes) + d,) for each column its run's counts, then its escape's; each at least 1.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "tables"

    first: npt.NDArray[np.int32]
    sizes: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint32]
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.first.shape != self.sizes.shape or self.first.ndim != 1 or (self.sizes < 1).any():
            raise CorruptFileError("tables: every column needs a first symbol and a size of at least 1")
        if self.counts.shape != (int(self.sizes.sum()) + self.sizes.size,) or (self.counts < 1).any():
            raise CorruptFileError("tables: the counts do not fit the sizes, or one is not positive")
        sums = np.add.reduceat(self.counts.astype(np.int64), self.starts[:-1]) if self.columns else np.empty(0)
        if (sums != TOTAL).any():
            raise CorruptFileError(f"tables: a column's counts do not sum to {TOTAL}")

    def __getstate__(self) -> dict[str, Any]:
        # The coder's models cannot be pickled or copied; a copy makes its own.
        return {name: value for name, value in vars(self).items() if name != "models"}

    @property
    def columns(self) -> int:
        """d, the number of columns."""
        return int(self.sizes.size)

    @property
    def choices(self) -> "Tables":
        """The tables themselves: what a symbol is coded with is one of them."""
        return self

    @property
    def plain(self) -> "Tables":
        """The tables themselves."""
        return self

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

    def take(self, columns: npt.NDArray[np.integer[Any]]) -> "Tables":
        """The tables of some columns, in any order, a column any number of times."""
        index = runs_index(self.sizes.astype(np.int64) + 1, columns)
        return Tables(self.first[columns], self.sizes[columns], self.counts[index])

    def checked(self, symbols: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """(n, d) integers -> int32. Raises ValueError on another shape, and on what int32 does not hold."""
        return checked_symbols(symbols, self.columns)

    def slots(self, symbols: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """(n, d) symbols -> (n, d) positions in the tables; symbols outside the run take the escape's."""
        slots = symbols.astype(np.int64) - self.first
        return np.where((slots < 0) | (slots >= self.sizes), self.sizes, slots).astype(np.int32)

    def push(self, coder: Any, symbols: npt.NDArray[np.int32], given: Given = ()) -> None:
        """Push (n, d, *space) symbols onto an ANS coder so that `pop` reads them first column first.

        A symbol outside its table's run is coded as the escape slot, and after its column's slots come the escaped
        symbols themselves, 32 raw bits each.
        """
        columns = np.ascontiguousarray(as_rows(symbols).T)
        low = columns.min(axis=1) if columns.shape[1] else self.first
        high = columns.max(axis=1) if columns.shape[1] else self.first
        clean = (low >= self.first) & (high - self.sizes < self.first)
        first, models = self.first.tolist(), self.models
        for j in range(len(columns) - 1, -1, -1):
            if clean[j]:
                coder.encode_reverse(columns[j] - np.int32(first[j]), models[j])
                continue
            size = int(self.sizes[j])
            slots = columns[j].astype(np.int64) - first[j]
            slots = np.where((slots < 0) | (slots >= size), size, slots).astype(np.int32)
            push_escapes(coder, columns[j][slots == size])
            coder.encode_reverse(slots, models[j])

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> npt.NDArray[np.int32]:
        """Pop symbols of a shape (n, d, *space)."""
        rows = math.prod(shape[2:], start=shape[0])
        columns = np.empty((self.columns, rows), dtype=np.int32)
        for j, (model, size) in enumerate(zip(self.models, self.sizes.tolist(), strict=True)):
            columns[j] = coder.decode(model, rows)
            if rows and int(columns[j].max()) == size:
                escaped = columns[j] == size
                columns[j][escaped] = pop_escapes(coder, int(escaped.sum())) - self.first[j]
        columns += self.first[:, None]
        return np.ascontiguousarray(from_rows(columns.T, shape))

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.float64]:
        """(n, d, *space) symbols -> bits for each of them: -log2(count / 2**16), and 32 more where it is escaped."""
        s = checked_symbols(symbols, self.columns, space=True)
        bits, escaped = self._costs(as_rows(s))
        return from_rows(bits + ESCAPE_BITS * escaped, s.shape)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.float64]:
        """(n, d, *space) symbols -> (n,) bits of an ideal coder, escapes included."""
        if np.ndim(symbols) > 2:
            return np.asarray(self.costs(symbols).reshape(len(np.asarray(symbols)), -1).sum(axis=1))
        bits, escaped = self._costs(np.atleast_2d(np.asarray(symbols, dtype=np.int32)))
        return np.asarray(bits.sum(axis=1) + ESCAPE_BITS * escaped.sum(axis=1), dtype=np.float64)

    def _costs(self, symbols: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        slots = self.slots(symbols)
        return (TABLE_BITS - np.log2(self.counts))[slots + self.starts[:-1]], slots == self.sizes

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, d) symbols -> how often each slot of the tables was used, aligned with `counts`."""
        slots = self.slots(self.checked(symbols)) + self.starts[:-1]
        return np.bincount(slots.ravel(), minlength=len(self.counts))

    def to_bytes(self) -> bytes:
        """Compact bytes; equal tables give equal bytes, and tables that were read give the bytes they were read from.

        The latter because builds of zlib differ: hashes over these bytes must hold on a machine with another one.
        """
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        first = zigzag(self.first.astype(np.int64))
        return pack_numbers(np.concatenate([[self.columns], first, self.sizes, self.counts]).astype(np.uint64))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrants."""
        numbers = unpack_numbers(data, "tables")
        d = int(numbers[0]) if numbers.size else -1
        if not 0 <= d <= MAX_COLUMNS or numbers.size < 1 + 2 * d or (numbers >> np.uint64(33)).any():
            raise CorruptFileError("tables: damaged or truncated")
        first, sizes, counts = np.split(numbers[1:].astype(np.int64), [d, 2 * d])
        if (sizes > MAX_SIZE).any() or (counts > TOTAL).any():
            raise CorruptFileError("tables: a table is larger than any of ours")
        found = cls(unzigzag(first).astype(np.int32), sizes.astype(np.int32), counts.astype(np.uint32))
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "Tables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())


def runs_index(sizes: npt.NDArray[np.int64], columns: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    """Of an array made of a run of `sizes[j]` entries for each column j, where the runs of some columns lie."""
    starts, lengths = np.cumsum(sizes) - sizes, sizes[columns]
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.repeat(starts[columns] - before, lengths) + np.arange(int(lengths.sum())), dtype=np.int64)


def join_tables(parts: Sequence[Tables]) -> Tables:
    """The tables of all parts, in order."""
    return Tables(
        np.concatenate([part.first for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


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

"""Conditional tables: integers that were decoded already choose the tables of those that follow.

Columns stand in groups. In a group without a network each column has a table of its own, as in `Tables`. In a later
group an integer network reads all symbols of the groups before it and chooses, for each column of each sample, a table
of a shared bank and a whole number to be added to what is decoded with it:

    symbols of earlier groups --network--> index (scale), mean in 2**-f symbols
    table = base + index * 2**f + (mean mod 2**f);    symbol = decoded + floor(mean / 2**f)

Two groups are a hyperprior (Balle et al., ICLR 2018; with means: Minnen et al., NeurIPS 2018), the first being the side
information z; more are an autoregressive model over groups of columns. z is computed from the other symbols by another
integer network, on the encoder's side only. Networks may also read the symbols of layers below, before all others; then
the first group too may have one. Nothing here uses floats that round.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import MAX_INPUT, Cursor, IntegerNetwork
from taskcodec.coding.models.runs import pop_runs, push_runs, slots_of
from taskcodec.coding.models.tables import ESCAPE_BITS, MAX_COLUMNS, TABLE_BITS, Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, as_rows, checked_symbols, from_rows
from taskcodec.errors import CorruptFileError, MismatchError

MAGIC = b"COND"
"""The bytes of conditional tables begin with it; those of plain tables cannot."""
MAX_BANK = 1 << 16
MAX_GROUPS = 1 << 12
MAX_FRACTION_BITS = 8
_SIDE, _GIVEN = 1, 2
"""Marks: there is a network of side information; networks read layers below."""


@dataclass(frozen=True, eq=False)
class Group:
    """Columns that are coded together.

    Attributes:
        columns: m.
        base: the first of its tables in the bank.
        network: gives m outputs (indices), or 2 m (indices, then means); None where each column has its own table.
        levels: indices are clipped to 0 ... levels - 1.
        fraction_bits: f; 0 where there are no means.
    """

    columns: int
    base: int = 0
    network: IntegerNetwork | None = None
    levels: int = 1
    fraction_bits: int = 0

    @property
    def tables(self) -> int:
        """How many tables of the bank it uses, from base on."""
        return self.columns if self.network is None else self.levels << self.fraction_bits

    def choose(self, before: Symbols) -> tuple[npt.NDArray[np.uint16], Symbols]:
        """(n, c) symbols of the groups before -> (n, m) tables in the bank, (n, m) numbers to be added."""
        if self.network is None:
            table = np.arange(self.base, self.base + self.columns, dtype=np.uint16)
            shape = (len(before), self.columns)
            return np.broadcast_to(table, shape), np.broadcast_to(np.int32(0), shape)
        out = self.network(before)
        index = np.clip(out[:, : self.columns], 0, self.levels - 1)
        if self.network.outputs == self.columns:
            return (self.base + index).astype(np.uint16), np.zeros(index.shape, np.int32)
        mean = np.clip(out[:, self.columns :], -MAX_INPUT, MAX_INPUT)
        table = self.base + (index << self.fraction_bits) + (mean & ((1 << self.fraction_bits) - 1))
        return table.astype(np.uint16), (mean >> self.fraction_bits).astype(np.int32)


@dataclass(frozen=True, eq=False)
class ConditionalTables(SymbolModel):
    """See the module.

    Attributes:
        bank: the tables, each a "column" of it.
        groups: in the order of the columns, at least one; the first without a network.
        side: computes the symbols of the first group from those of all others; None where they are part of the latent.
        given_columns: channels of the layers below, which every network reads first.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "conditional"

    bank: Tables
    groups: tuple[Group, ...]
    side: IntegerNetwork | None = None
    given_columns: int = 0
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.groups) <= MAX_GROUPS or not self.bank.columns <= MAX_BANK:
            raise CorruptFileError("conditional tables: more groups or tables than any of ours, or none")
        before = self.given_columns
        for group in self.groups:
            network, m = group.network, group.columns
            if not (1 <= m <= MAX_COLUMNS and 1 <= group.levels <= MAX_BANK and group.base >= 0):
                raise CorruptFileError("conditional tables: a group that none of ours is")
            if not 0 <= group.fraction_bits <= MAX_FRACTION_BITS or group.base + group.tables > self.bank.columns:
                raise CorruptFileError("conditional tables: a group's tables are not in the bank")
            if network is not None and (network.inputs != before or network.outputs not in (m, 2 * m)):
                raise CorruptFileError("conditional tables: a network does not fit its group")
            if network is not None and network.outputs == m and group.fraction_bits:
                raise CorruptFileError("conditional tables: fractions without means")
            before += m
        side, first = self.side, self.groups[0]
        if before > MAX_COLUMNS or (first.network is not None and not self.given_columns):
            raise CorruptFileError("conditional tables: too many columns, or a first group with a network")
        if side is not None and (side.outputs, side.inputs) != (first.columns, self.columns - first.columns):
            raise CorruptFileError("conditional tables: the network of the side information does not fit")

    @cached_property
    def columns(self) -> int:
        """How many symbols a sample has, side information included."""
        return sum(group.columns for group in self.groups)

    @property
    def choices(self) -> Tables:
        """The bank."""
        return self.bank

    def with_side(self, latent: Symbols) -> Symbols:
        """(n, k, *space) symbols of the latent -> (n, columns, *space): the side information before them."""
        if self.side is None:
            return latent
        z = np.clip(self.side(as_rows(latent)), -MAX_INPUT, MAX_INPUT).astype(np.int32)
        return np.concatenate([from_rows(z, (len(latent), z.shape[1], *latent.shape[2:])), latent], axis=1)

    def without_side(self, symbols: Symbols) -> Symbols:
        """Invert `with_side`."""
        return symbols if self.side is None else symbols[:, self.groups[0].columns :]

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, columns, *space) symbols onto an ANS coder so that `pop` reads them group by group.

        In a group the symbols are read table by table, so that the coder sees long runs; of each table first the
        slots, rows from first to last and columns from first to last in each, and then its escaped symbols.
        """
        for table, residual in reversed(list(self._residuals(symbols, given))):
            push_runs(coder, residual, table, self.bank)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of a shape (n, columns, *space)."""
        rows = math.prod(shape[2:], start=shape[0])
        symbols = self._after(given, np.empty((rows, self.columns), np.int32))
        for group, start in zip(self.groups, self._starts, strict=True):
            table, added = group.choose(symbols[:, :start])
            symbols[:, start : start + group.columns] = pop_runs(coder, table, self.bank) + added
        return from_rows(symbols[:, self.given_columns :], shape)

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, columns) symbols -> how often each slot of the bank was used, aligned with its `counts`."""
        found = np.zeros(len(self.bank.counts), np.int64)
        for table, residual in self._residuals(checked_symbols(symbols, self.columns), given):
            slots = slots_of(residual, table, self.bank) + self.bank.starts[table]
            found += np.bincount(slots.ravel(), minlength=found.size)
        return found

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns, *space) symbols -> bits of an ideal coder for each, side information's too."""
        s = checked_symbols(symbols, self.columns, space=True)
        parts = [bits + ESCAPE_BITS * escaped for bits, escaped in self._costs(s, given)]
        return from_rows(np.concatenate(parts, axis=1), s.shape)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns, *space) symbols -> (n,) bits of an ideal coder, escapes and side information included."""
        if np.ndim(symbols) > 2:
            return np.asarray(self.costs(symbols, given).reshape(len(np.asarray(symbols)), -1).sum(axis=1))
        s = checked_symbols(np.atleast_2d(np.asarray(symbols)), self.columns)
        total = np.zeros(len(s))
        for bits, escaped in self._costs(s, given):
            total += bits.sum(axis=1)
            total += ESCAPE_BITS * escaped.sum(axis=1)
        return total

    def _costs(self, symbols: Symbols, given: Given) -> Iterator[tuple[Bits, npt.NDArray[np.bool_]]]:
        """For each group the bits of its symbols without what escapes add, and which of them are escaped."""
        each = TABLE_BITS - np.log2(self.bank.counts)
        for table, residual in self._residuals(symbols, given):
            slots = slots_of(residual, table, self.bank)
            yield each[slots + self.bank.starts[table]], slots == self.bank.sizes[table]

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        marks = _SIDE * (self.side is not None) + _GIVEN * bool(self.given_columns)
        parts: list[npt.ArrayLike] = [[len(self.groups), marks]]
        parts += [[self.given_columns]] if self.given_columns else []
        for group in self.groups:
            conditional = int(group.network is not None)
            parts.append([group.columns, group.base, group.levels, group.fraction_bits, conditional])
            parts += [] if group.network is None else [group.network.numbers()]
        parts += [] if self.side is None else [self.side.numbers()]
        numbers = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
        packed = pack_numbers(numbers.astype(np.uint64))
        return framed(MAGIC, packed) + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ConditionalTables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, bank = unframed(data, MAGIC, "conditional tables")
        numbers = Cursor(unpack_numbers(head, "conditional tables"))
        count, marks = numbers.take(2).tolist()
        if count > MAX_GROUPS or marks > _SIDE + _GIVEN:
            raise CorruptFileError("conditional tables: damaged")
        given_columns, groups = int(numbers.take(1)[0]) if marks & _GIVEN else 0, []
        for _ in range(count):
            columns, base, levels, fraction_bits, conditional = numbers.take(5).tolist()
            if conditional > 1 or fraction_bits > MAX_FRACTION_BITS or levels > MAX_BANK:
                raise CorruptFileError("conditional tables: damaged")
            network = IntegerNetwork.read(numbers) if conditional else None
            groups.append(Group(columns, base, network, levels, fraction_bits))
        side = IntegerNetwork.read(numbers) if marks & _SIDE else None
        numbers.finish()
        found = cls(Tables.from_bytes(bank), tuple(groups), side, given_columns)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "ConditionalTables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

    @cached_property
    def _starts(self) -> list[int]:
        return [sum(group.columns for group in self.groups[:g]) + self.given_columns for g in range(len(self.groups))]

    def _after(self, given: Given, rows: Symbols) -> Symbols:
        """Rows of symbols behind those of the layers below. Raises MismatchError where these are not as many."""
        if not self.given_columns:
            return rows
        if (found := sum(below.shape[1] for below in given)) != self.given_columns:
            raise MismatchError(f"tables that follow from {self.given_columns} symbols of layers below, {found} given")
        return np.concatenate([*map(as_rows, given), rows], axis=1)

    def _residuals(self, symbols: Symbols, given: Given) -> Iterator[tuple[npt.NDArray[np.uint16], Symbols]]:
        """For each group the tables that (n, columns, *space) symbols are coded with, by place, and what remains."""
        rows = self._after(given, as_rows(symbols))
        for group, start in zip(self.groups, self._starts, strict=True):
            table, added = group.choose(rows[:, :start])
            # Differences of int32 wrap around, as the sums that undo them do.
            yield table, rows[:, start : start + group.columns] - added

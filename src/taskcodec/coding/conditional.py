"""Conditional tables: integers that were decoded already choose the tables of those that follow.

Columns stand in groups. In a group without a network each column has a table of its own, as in `Tables`. In a later
group an integer network reads all symbols of the groups before it and chooses, for each column of each sample, a table
of a shared bank and a whole number to be added to what is decoded with it:

    symbols of earlier groups --network--> index (scale), mean in 2**-f symbols
    table = base + index * 2**f + (mean mod 2**f);    symbol = decoded + floor(mean / 2**f)

Two groups are a hyperprior (Balle et al., ICLR 2018; with means: Minnen et al., NeurIPS 2018), the first being the side
information z; more are an autoregressive model over groups of columns. z is computed from the other symbols by another
integer network, on the encoder's side only. Nothing here uses floats that round.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.escapes import pop_escapes, push_escapes
from taskcodec.coding.integer_network import MAX_INPUT, Cursor, IntegerNetwork
from taskcodec.coding.packed import pack_numbers, unpack_numbers
from taskcodec.coding.tables import ESCAPE_BITS, MAX_COLUMNS, TABLE_BITS, Tables, checked_symbols
from taskcodec.errors import CorruptFileError

MAGIC = b"COND"
"""The bytes of conditional tables begin with it; those of plain tables cannot."""
MAX_BANK = 1 << 16
MAX_GROUPS = 1 << 12
MAX_FRACTION_BITS = 8

Symbols = npt.NDArray[np.int32]


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
class ConditionalTables:
    """See the module.

    Attributes:
        bank: the tables, each a "column" of it.
        groups: in the order of the columns, at least one; the first without a network.
        side: computes the symbols of the first group from those of all others; None where they are part of the latent.
    """

    bank: Tables
    groups: tuple[Group, ...]
    side: IntegerNetwork | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.groups) <= MAX_GROUPS or not self.bank.columns <= MAX_BANK:
            raise CorruptFileError("conditional tables: more groups or tables than any of ours, or none")
        before = 0
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
        if before > MAX_COLUMNS or first.network is not None:
            raise CorruptFileError("conditional tables: too many columns, or a first group with a network")
        if side is not None and (side.outputs, side.inputs) != (first.columns, before - first.columns):
            raise CorruptFileError("conditional tables: the network of the side information does not fit")

    @cached_property
    def columns(self) -> int:
        """How many symbols a sample has, side information included."""
        return sum(group.columns for group in self.groups)

    @property
    def side_columns(self) -> int:
        """How many of them, the first, are side information."""
        return 0 if self.side is None else self.groups[0].columns

    def with_side(self, symbols: Symbols) -> Symbols:
        """(n, k) symbols of the latent -> (n, columns): the side information before them."""
        if self.side is None:
            return symbols
        z = np.clip(self.side(symbols), -MAX_INPUT, MAX_INPUT).astype(np.int32)
        return np.concatenate([z, symbols], axis=1)

    def checked(self, symbols: npt.ArrayLike) -> Symbols:
        """(n, columns) integers -> int32. Raises ValueError on another shape, and on what int32 does not hold."""
        return checked_symbols(symbols, self.columns)

    def push(self, coder: Any, symbols: Symbols) -> None:
        """Push (n, columns) symbols onto an ANS coder so that `pop` reads them group by group.

        In a group the symbols are read table by table, so that the coder sees long runs; of each table first the
        slots, rows from first to last and columns from first to last in each, and then its escaped symbols.
        """
        sizes, models = self.bank.sizes.tolist(), self.bank.models
        for group, start in reversed(list(zip(self.groups, self._starts, strict=True))):
            table, residual = self._residuals(group, start, symbols)
            slots = _slots(residual, table, self.bank).ravel()
            runs, order = _runs(table)
            slots, residual = slots[order], residual.ravel()[order]
            for t, begin, end in reversed(runs):
                run = slots[begin:end]
                if int(run.max()) == sizes[t]:
                    push_escapes(coder, residual[begin:end][run == sizes[t]])
                coder.encode_reverse(run, models[t])

    def pop(self, coder: Any, rows: int) -> Symbols:
        """Pop (rows, columns) symbols."""
        sizes, first, models = self.bank.sizes.tolist(), self.bank.first, self.bank.models
        symbols = np.empty((rows, self.columns), np.int32)
        for group, start in zip(self.groups, self._starts, strict=True):
            table, added = group.choose(symbols[:, :start])
            runs, order = _runs(table)
            found = np.empty(order.size, np.int32)
            for t, begin, end in runs:
                run = np.asarray(coder.decode(models[t], end - begin), dtype=np.int32)
                escaped = run == sizes[t]
                run += first[t]
                if escaped.any():
                    run[escaped] = pop_escapes(coder, int(escaped.sum()))
                found[begin:end] = run
            residual = np.empty(order.size, np.int32)
            residual[order] = found
            symbols[:, start : start + group.columns] = residual.reshape(table.shape) + added
        return symbols

    def slot_counts(self, symbols: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(n, columns) symbols -> how often each slot of the bank was used, aligned with its `counts`."""
        s, found = self.checked(symbols), np.zeros(len(self.bank.counts), np.int64)
        for group, start in zip(self.groups, self._starts, strict=True):
            table, residual = self._residuals(group, start, s)
            slots = _slots(residual, table, self.bank) + self.bank.starts[table]
            found += np.bincount(slots.ravel(), minlength=found.size)
        return found

    def code_length(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(n, columns) symbols -> (n,) bits of an ideal coder, escapes and side information included."""
        s = self.checked(np.atleast_2d(np.asarray(symbols)))
        bits, each = np.zeros(len(s)), TABLE_BITS - np.log2(self.bank.counts)
        for group, start in zip(self.groups, self._starts, strict=True):
            table, residual = self._residuals(group, start, s)
            slots = _slots(residual, table, self.bank)
            bits += each[slots + self.bank.starts[table]].sum(axis=1)
            bits += ESCAPE_BITS * (slots == self.bank.sizes[table]).sum(axis=1)
        return bits

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        parts: list[npt.ArrayLike] = [[len(self.groups), int(self.side is not None)]]
        for group in self.groups:
            conditional = int(group.network is not None)
            parts.append([group.columns, group.base, group.levels, group.fraction_bits, conditional])
            parts += [] if group.network is None else [group.network.numbers()]
        parts += [] if self.side is None else [self.side.numbers()]
        numbers = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
        packed = pack_numbers(numbers.astype(np.uint64))
        return MAGIC + len(packed).to_bytes(4, "little") + packed + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ConditionalTables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        length = int.from_bytes(data[4:8], "little")
        if data[:4] != MAGIC or length > len(data) - 8:
            raise CorruptFileError("conditional tables: damaged or truncated")
        numbers = Cursor(unpack_numbers(data[8 : 8 + length], "conditional tables"))
        count, has_side = numbers.take(2).tolist()
        if count > MAX_GROUPS or has_side > 1:
            raise CorruptFileError("conditional tables: damaged")
        groups = []
        for _ in range(count):
            columns, base, levels, fraction_bits, conditional = numbers.take(5).tolist()
            if conditional > 1 or fraction_bits > MAX_FRACTION_BITS or levels > MAX_BANK:
                raise CorruptFileError("conditional tables: damaged")
            network = IntegerNetwork.read(numbers) if conditional else None
            groups.append(Group(columns, base, network, levels, fraction_bits))
        side = IntegerNetwork.read(numbers) if has_side else None
        numbers.finish()
        tables = cls(Tables.from_bytes(data[8 + length :]), tuple(groups), side)
        tables.__dict__["_encoded"] = bytes(data)
        return tables

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *np.cumsum([group.columns for group in self.groups]).tolist()][:-1]

    def _residuals(self, group: Group, start: int, symbols: Symbols) -> tuple[npt.NDArray[np.uint16], Symbols]:
        table, added = group.choose(symbols[:, :start])
        # Differences of int32 wrap around, as the sums that undo them do.
        return table, symbols[:, start : start + group.columns] - added


AnyTables = Tables | ConditionalTables
"""Whatever symbols are coded with."""


def read_tables(data: bytes) -> AnyTables:
    """Invert `to_bytes` of either kind. Raises CorruptFileError on anything else."""
    return ConditionalTables.from_bytes(data) if data[:4] == MAGIC else Tables.from_bytes(data)


def _slots(residual: Symbols, table: npt.NDArray[np.uint16], bank: Tables) -> Symbols:
    slots, sizes = residual.astype(np.int64) - bank.first[table], bank.sizes[table]
    return np.where((slots < 0) | (slots >= sizes), sizes, slots).astype(np.int32)


def _runs(table: npt.NDArray[np.uint16]) -> tuple[list[tuple[int, int, int]], npt.NDArray[np.int64]]:
    """Each table that occurs with the begin and end of its run in `order`, and the order, which sorts by table."""
    flat = table.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat)
    ends = np.cumsum(counts)
    return [(t, int(ends[t] - counts[t]), int(ends[t])) for t in np.flatnonzero(counts).tolist()], order

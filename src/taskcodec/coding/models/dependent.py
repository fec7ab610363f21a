"""Tables of dependent quantization: each symbol of a sample is of one of two quantizers, and each has its own tables.

Which one follows from the parities of the symbols before it (`taskcodec.coding.trellis`). The tables of the first
quantizer are plain ones, or those that columns share. Those of the second follow from them, by integer arithmetic: its
points lie between those of the first, and a point between two has the geometric mean of their counts; only zero, which
both quantizers have, has a count of its own. A second set of free tables would take as many bytes again and code other
samples no better (measured on features of pictures: 0.1 to 0.3 % more bits).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.escapes import pop_escapes, push_escapes
from taskcodec.coding.models.shared import SharedTables
from taskcodec.coding.models.tables import ESCAPE_BITS, TABLE_BITS, TOTAL, Tables, join_tables
from taskcodec.coding.packed import framed, unframed
from taskcodec.coding.symbol_model import (
    Bits,
    Given,
    SymbolModel,
    Symbols,
    Tensors,
    as_rows,
    checked_symbols,
    from_rows,
)
from taskcodec.coding.trellis import Trellis
from taskcodec.errors import CorruptFileError

MAGIC = b"DEPQ"
"""The bytes of dependent tables begin with it; those of other kinds cannot."""


@dataclass(frozen=True, eq=False)
class DependentTables(SymbolModel):
    """See the module.

    Attributes:
        first: the tables of the first quantizer: one for each of k columns, or m that they share. Each has zero.
        zeros: (k,) or (m,) the count of zero in the table of the second quantizer.
        trellis: the state machine.
    """

    kind = "dependent"

    first: Tables | SharedTables
    zeros: npt.NDArray[np.uint16]
    trellis: Trellis

    def __post_init__(self) -> None:
        own = self._own
        if self.zeros.shape != (own.columns,) or (own.first > 0).any() or (own.first + own.sizes < 1).any():
            raise CorruptFileError("dependent tables: one without zero, or with no count for it")
        room = TOTAL - own.counts[own.starts[1:] - 1].astype(np.int64) - (own.sizes - 1)
        if ((self.zeros < 1) | (self.zeros > room) | ((own.sizes == 1) & (self.zeros != room))).any():
            raise CorruptFileError("dependent tables: a count of zero that leaves too little or too much to others")

    @property
    def _own(self) -> Tables:
        """The tables of the first quantizer, each once."""
        return self.first.distinct if isinstance(self.first, SharedTables) else self.first

    @property
    def columns(self) -> int:
        """k."""
        return self.first.columns

    @cached_property
    def choices(self) -> Tables:
        """2 k tables: those of the first quantizer, then those of the second."""
        own = self._own
        counts = [second_table(own.column(j), -int(own.first[j]), int(self.zeros[j])) for j in range(own.columns)]
        second = Tables(own.first, own.sizes, np.concatenate(counts) if counts else own.counts)
        if isinstance(self.first, SharedTables):
            second = second.take(self.first.index)
        return join_tables([self.first.plain, second])

    @property
    def sharing(self) -> Symbols | None:
        """As of the first quantizer's tables."""
        return self.first.sharing

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, k, *space) symbols onto an ANS coder so that `pop` reads them first column first.

        Of each column come those of the first quantizer, then those of the second; of each of these the slots, rows
        from first to last, and then its escaped symbols.
        """
        rows, bank = as_rows(symbols), self.choices
        second, slots = self.trellis.along(rows), self._slots(rows)
        for j in range(self.columns - 1, -1, -1):
            for number, of_it in ((j + self.columns, second[:, j] == 1), (j, second[:, j] == 0)):
                run = slots[of_it, j]
                escaped = run == bank.sizes[number]
                if escaped.any():
                    push_escapes(coder, rows[of_it, j][escaped])
                coder.encode_reverse(run, bank.models[number])

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of a shape (n, k, *space)."""
        n, bank = math.prod(shape[2:], start=shape[0]), self.choices
        columns, state = np.empty((self.columns, n), np.int32), self.trellis.start(n)
        first, sizes, models = bank.first.tolist(), bank.sizes.tolist(), bank.models
        for j, column in enumerate(columns):
            second = self.trellis.second(state)
            for number, of_it in ((j, np.flatnonzero(second == 0)), (j + self.columns, np.flatnonzero(second))):
                run = np.asarray(coder.decode(models[number], of_it.size), dtype=np.int32)
                escaped = run == sizes[number]
                run += first[number]
                if escaped.any():
                    run[escaped] = pop_escapes(coder, int(escaped.sum()))
                column[of_it] = run
            state = self.trellis.after(state, column)
        return np.ascontiguousarray(from_rows(columns.T, shape))

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, k, *space) symbols -> bits for each of them, escapes included."""
        s = checked_symbols(symbols, self.columns, space=True)
        rows, bank = as_rows(s), self.choices
        slots, table = self._slots(rows), self._tables(rows)
        bits = (TABLE_BITS - np.log2(bank.counts))[slots + bank.starts[table]]
        return from_rows(bits + ESCAPE_BITS * (slots == bank.sizes[table]), s.shape)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, k) symbols -> (n,) bits of an ideal coder, escapes included."""
        return np.asarray(self.costs(np.atleast_2d(np.asarray(symbols))).sum(axis=1), dtype=np.float64)

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, k) symbols -> how often each slot of the 2 k tables was used, aligned with their `counts`."""
        s = checked_symbols(symbols, self.columns)
        slots = self._slots(s) + self.choices.starts[self._tables(s)]
        return np.bincount(slots.ravel(), minlength=len(self.choices.counts))

    def to_bytes(self) -> bytes:
        """Compact bytes, of the tables of each column: what codes them without knowing that they are shared."""
        zeros = self.zeros if self.first.sharing is None else self.zeros[self.first.sharing]
        head = np.concatenate([[self.trellis.states], zeros]).astype("<u2").tobytes()
        return framed(MAGIC, head) + self.first.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "DependentTables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, first = unframed(data, MAGIC, "dependent tables")
        if not head or len(head) % 2:
            raise CorruptFileError("dependent tables: damaged or truncated")
        return cls._of(Tables.from_bytes(first), np.frombuffer(head, "<u2"))

    def tensors(self) -> Tensors:
        """Those of the first quantizer's tables, and in one the number of states and the counts of zero."""
        return {**self.first.tensors(), "dependent": np.concatenate([[self.trellis.states], self.zeros]).astype("<u2")}

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "DependentTables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        head = tensors["dependent"]
        if head.ndim != 1 or head.dtype.str != "<u2" or not head.size:
            raise CorruptFileError(f"tensor dependent is not a flat array of <u2, found {head.dtype.str} {head.shape}")
        return cls._of((SharedTables if "shares" in tensors else Tables).read(tensors), head)

    @classmethod
    def _of(cls, first: Tables | SharedTables, head: npt.NDArray[np.uint16]) -> "DependentTables":
        return cls(first, head[1:].astype(np.uint16), Trellis(int(head[0])))

    def _slots(self, rows: Symbols) -> Symbols:
        """(n, k) symbols -> their places in their tables; both of a column have the same run."""
        return self.first.plain.slots(rows)

    def _tables(self, rows: Symbols) -> npt.NDArray[np.intp]:
        """(n, k) symbols -> which of the choices each is coded with."""
        return np.arange(self.columns) + self.columns * self.trellis.along(rows).astype(np.intp)


def second_table(counts: npt.NDArray[np.uint32], zero: int, zero_count: int) -> npt.NDArray[np.uint32]:
    """The second quantizer's table of a column, by integer arithmetic.

    Args:
        counts: (size + 1,) the first quantizer's, the escape last.
        zero: the place of symbol 0 among them.
        zero_count: its count in the second.
    """
    own, escape = counts[:-1].astype(np.int64), int(counts[-1])
    if len(own) == 1:
        return np.array([zero_count, escape], np.uint32)
    inner = own.copy()
    inner[:zero] *= own[1 : zero + 1]
    inner[zero + 1 :] *= own[zero:-1]
    # The root of an integer below 2**32 is rounded right everywhere, and never up to the next integer.
    mean = np.floor(np.sqrt(inner.astype(np.float64))).astype(np.int64)
    mean[zero] = 0
    spare = TOTAL - escape - zero_count - (len(own) - 1)
    found = 1 + mean * spare // int(mean.sum())
    found[zero] = zero_count
    found[np.argmax(mean)] += TOTAL - escape - int(found.sum())
    return np.append(found, escape).astype(np.uint32)

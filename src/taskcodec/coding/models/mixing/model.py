"""Rows of symbols whose columns depend on one another: each is coded in contexts of those before it.

    column 1: all rows, then column 2: all rows, ...     a decision at a time: `decisions.py`

Contexts are combinations of earlier columns, as in a Bayesian network, but several of them are mixed. Columns of plain
bits stand beside those whose symbol says how many.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.column_coder import costs_of, fitting_rows, pop_column, push_column
from taskcodec.coding.models.mixing.columns import Column, Modelled, check_columns
from taskcodec.coding.models.mixing.form import read_columns, write_columns
from taskcodec.coding.models.tables import Tables, freeze_pmf
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, as_rows, checked_symbols, from_rows
from taskcodec.errors import CorruptFileError, MismatchError

MAX_COLUMNS = 1 << 12


@dataclass(frozen=True, eq=False)
class MixedContexts(SymbolModel):
    """See the module.

    Attributes:
        parts: the columns.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "mixed"

    parts: tuple[Column, ...]
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.parts) > MAX_COLUMNS:
            raise CorruptFileError("mixed contexts: more columns than any of ours")
        check_columns(self.parts)

    @property
    def columns(self) -> int:
        """How many symbols a row has."""
        return len(self.parts)

    @cached_property
    def choices(self) -> Tables:
        """A table for each column, as if it depended on none: what is expected of its symbols."""
        expected = [part.expected if isinstance(part, Modelled) else np.ones(1) for part in self.parts]
        return freeze_pmf(np.zeros(self.columns, np.int32), [each.astype(np.float64) for each in expected], 2**-15)

    def checked(self, symbols: npt.ArrayLike) -> Symbols:
        """(n, columns, *space) integers -> rows. Raises MismatchError on symbols that a column does not have."""
        rows = as_rows(checked_symbols(symbols, self.columns, space=True))
        for j, part in enumerate(self.parts):
            # What a column depends on are earlier columns, which fit.
            fitting = fitting_rows(part, rows[:, j], rows)
            if not fitting.all():
                row = int(np.flatnonzero(~fitting)[0])
                raise MismatchError(f"symbol {rows[row, j]} in column {j} of row {row} is none of this model's")
        return rows

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, columns, *space) symbols onto an ANS coder so that `pop` reads them first column first."""
        rows = self.checked(symbols)
        for j in range(self.columns - 1, -1, -1):
            push_column(coder, self.parts, j, rows)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of a shape (n, columns, *space)."""
        rows = np.zeros((math.prod(shape[2:], start=shape[0]), self.columns), np.int32)
        for j in range(self.columns):
            pop_column(coder, self.parts, j, rows)
        return from_rows(rows, shape)

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns, *space) symbols -> bits of an ideal coder for each: rows learn from those before."""
        rows = self.checked(symbols)
        bits = np.stack([costs_of(self.parts, j, rows) for j in range(self.columns)], axis=1)
        return from_rows(bits, np.shape(symbols))

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns, *space) symbols -> (n,) bits of an ideal coder for each."""
        s = np.atleast_2d(np.asarray(symbols))
        return np.asarray(self.costs(s).reshape(len(s), -1).sum(axis=1))

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, columns) symbols -> how often each was met, aligned with the `counts` of the choices."""
        return self.choices.slot_counts(symbols)

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        return write_columns(self.parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "MixedContexts":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        found = cls(read_columns(data))
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "MixedContexts":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

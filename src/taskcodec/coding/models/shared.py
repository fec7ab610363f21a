"""Tables that columns share: of few samples a column's own would take more bytes than they save."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.conditional import MAGIC
from taskcodec.coding.models.tables import MAX_COLUMNS, Tables, runs_index
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, Tensors
from taskcodec.errors import CorruptFileError, MismatchError

MAX_SPREAD = 2**26
"""Counts of all columns together: as many as a file can hold plainly."""


@dataclass(frozen=True, eq=False)
class SharedTables(SymbolModel):
    """m tables, and which of them each of k columns has.

    Attributes:
        distinct: the tables; each is some column's.
        index: (k,) int32, their numbers.
    """

    kind = "shared"

    distinct: Tables
    index: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        index, m = self.index, self.distinct.columns
        if index.ndim != 1 or index.size > MAX_COLUMNS or not np.array_equal(np.unique(index), np.arange(m)):
            raise CorruptFileError(f"shared tables: the {m} there are not those that columns name")
        if int((self._sizes[index] + 1).sum()) > MAX_SPREAD:
            raise CorruptFileError("shared tables: those of all columns are larger than any of ours")

    @property
    def columns(self) -> int:
        """k."""
        return int(self.index.size)

    @cached_property
    def plain(self) -> Tables:
        """The table of each column."""
        return self.distinct.take(self.index)

    @property
    def choices(self) -> Tables:
        """The table of each column."""
        return self.plain

    @property
    def sharing(self) -> Symbols:
        """The numbers of the columns' tables."""
        return self.index

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """As the tables of each column do."""
        self.plain.push(coder, symbols)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """As the tables of each column do."""
        return self.plain.pop(coder, shape)

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """As the tables of each column do."""
        return self.plain.costs(symbols)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """As the tables of each column do."""
        return self.plain.code_length(symbols)

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """As the tables of each column do."""
        return self.plain.slot_counts(symbols)

    def spread_points(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """One value for each symbol of the m tables' runs -> one for each symbol of the k columns' runs."""
        return values[runs_index(self._sizes, self.index)]

    def gathered(self, points: npt.NDArray[np.float32], sketch: npt.NDArray[np.float32]) -> Tensors:
        """Points and sketch of each table once. Raises MismatchError where columns share a table, but not these."""
        first = np.unique(self.index, return_index=True)[1]
        each, density = points[runs_index(self._sizes[self.index], first)], sketch[:, first]
        if not (np.array_equal(self.spread_points(each), points) and np.array_equal(density[:, self.index], sketch)):
            raise MismatchError(
                "columns of the codec that share a table should share its points and sketch: give each its own"
            )
        return {"points": each, "sketch": density}

    def spread(self, points: npt.NDArray[np.float32], sketch: npt.NDArray[np.float32]) -> Tensors:
        """Points and sketch of each column. Raises CorruptFileError where they are not of these tables."""
        m = self.distinct.columns
        if points.shape != (int(self._sizes.sum()),) or sketch.shape[1] != m:
            raise CorruptFileError(f"shared tables: points or sketch are not those of {m} tables")
        if len(sketch) * self.index.size > MAX_SPREAD:
            raise CorruptFileError("shared tables: a sketch larger than any of ours")
        return {"points": self.spread_points(points), "sketch": sketch[:, self.index]}

    def to_bytes(self) -> bytes:
        """The bytes of the tables of each column: what codes them without knowing that they are shared."""
        return self.plain.to_bytes()

    def tensors(self) -> Tensors:
        """The tables each once, and their numbers."""
        return {**self.distinct.tensors(), "shares": self.index.astype("<u2")}

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "SharedTables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        index = tensors["shares"]
        if index.ndim != 1 or index.dtype.str != "<u2":
            raise CorruptFileError(f"tensor shares is not a flat array of <u2, found {index.dtype.str} {index.shape}")
        if tensors["tables"].tobytes().startswith(MAGIC):
            raise CorruptFileError("shared tables: conditional ones are shared as they are")
        return cls(Tables.read(tensors), index.astype(np.int32))

    @property
    def _sizes(self) -> npt.NDArray[np.int64]:
        return self.distinct.sizes.astype(np.int64)

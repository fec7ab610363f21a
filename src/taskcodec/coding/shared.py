"""Tables that columns share: of few samples a column's own would take more bytes than they save."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.tables import MAX_COLUMNS, Tables, runs_index
from taskcodec.errors import CorruptFileError

MAX_SPREAD = 2**26
"""Counts of all columns together: as many as a file can hold plainly."""


@dataclass(frozen=True, eq=False)
class SharedTables:
    """m tables, and which of them each of k columns has.

    Attributes:
        bank: the tables; each is some column's.
        index: (k,) int32, their numbers.
    """

    bank: Tables
    index: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        index, m = self.index, self.bank.columns
        if index.ndim != 1 or index.size > MAX_COLUMNS or not np.array_equal(np.unique(index), np.arange(m)):
            raise CorruptFileError(f"shared tables: the {m} there are not those that columns name")
        if int((self._sizes[index] + 1).sum()) > MAX_SPREAD:
            raise CorruptFileError("shared tables: those of all columns are larger than any of ours")

    def tables(self) -> Tables:
        """The table of each column."""
        return self.bank.take(self.index)

    def are(self, tables: Any) -> bool:
        """Whether these are the tables of the columns."""
        own = self.tables()
        return isinstance(tables, Tables) and all(
            np.array_equal(getattr(own, name), getattr(tables, name)) for name in ("first", "sizes", "counts")
        )

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """One value for each symbol of the m tables' runs -> one for each symbol of the k columns' runs."""
        return values[runs_index(self._sizes, self.index)]

    def gather(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Invert `spread`: the values of each table's first column."""
        return values[runs_index(self._sizes[self.index], self.first_columns)]

    @property
    def first_columns(self) -> npt.NDArray[np.intp]:
        """(m,) the first column that has each table."""
        return np.unique(self.index, return_index=True)[1]

    @property
    def _sizes(self) -> npt.NDArray[np.int64]:
        return self.bank.sizes.astype(np.int64)

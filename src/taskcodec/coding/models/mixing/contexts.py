"""The contexts of rows, from columns that are decoded already, as places among counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import CHANGED, Column, Context, Modelled, Raw
from taskcodec.coding.symbol_model import Symbols

MAX_COUNTS = 1 << 20
"""Counts of one context of a column; where rows have more contexts than fit, some of them share."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where rows count.

    Attributes:
        first: (contexts, n) where the counts of each row's contexts begin.
        total: how many counts there are of each outcome.
    """

    first: npt.NDArray[np.int64]
    total: int


def places_of(column: Modelled, columns: Sequence[Column], symbols: Symbols) -> Places:
    """The places of (n, at least the earlier columns) symbols. The context () begins at 0 where it is the first."""
    nodes, first, total = max(column.tree.nodes, 1), list[npt.NDArray[np.int64]](), 0
    for context in column.contexts:
        ids, count = numbered(context, columns, symbols)
        room = max(MAX_COUNTS // nodes, 1)
        ids, count = (ids % room, room) if count > room else (ids, count)
        first.append(ids * nodes + total)
        total += count * nodes
    return Places(np.stack(first), total)


def numbered(context: Context, columns: Sequence[Column], symbols: Symbols) -> tuple[npt.NDArray[np.int64], int]:
    """(n,) which of its values a context has in each row, and how many there are at most."""
    n = len(symbols)
    if not context:
        return np.zeros(n, np.int64), 1
    key = np.zeros(n, np.uint64)
    for parent in context:
        of = columns[parent.column]
        assert not isinstance(of, Raw)
        # Wraps around where many columns of many symbols meet: then some contexts share counts, on every machine alike.
        column = symbols[:, parent.column]
        if parent.levels == CHANGED:
            level = np.concatenate([np.ones(min(n, 1), np.int64), column[1:] != column[:-1]])
        else:
            level = of.levels(column, parent.levels)
        key = key * np.uint64(max(of.size, 2)) + level.astype(np.uint64)
    values, ids = np.unique(key, return_inverse=True)
    return np.asarray(ids.reshape(n), np.int64), len(values)

"""Which earlier columns foretell a column: the structure of a Bayesian network, with several parents' sets a column.

A set of parents is judged by what a column costs where counts in each of its contexts are all that is known, and a
symbol that is new there costs what it does without a context (a Chinese restaurant process: exact, exchangeable, and
with no tables to ship). So parents that split rows too finely cost more than they save (cf. Squish, Gao and
Parameswaran, KDD 2016, where the cost of tables is weighed).
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import log

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import CHANGED, Column, Context, Parent, Raw
from taskcodec.coding.models.mixing.contexts import numbered
from taskcodec.coding.symbol_model import Symbols

COARSE = (16, 5)
"""Levels that columns of more symbols are cut down to, beside all of their symbols."""
FEW_ROWS = 2_000
"""Up to so many rows a codec says little: what more contexts, or counts, would save is less than they take."""
MORE_ALIKE = 0.1
"""How much more often symbols should equal those before than those far away, to be asked whether they do."""
_CANDIDATES, _EXTENDED = 6, 3


def chosen_contexts(
    rows: Symbols, target: Symbols, columns: Sequence[Column], alone: npt.NDArray[np.int64]
) -> tuple[Context, ...]:
    """The contexts of a column that follows others.

    Args:
        rows: (n, at least the earlier columns) to judge by.
        target: (n,) its symbols.
        columns: the earlier ones.
        alone: (size,) how often each of its symbols is expected.
    """
    judge = _Judge(rows, target, columns, alone)
    most_singles, most_pairs, most_triples = (2, 1, 1) if len(rows) <= FEW_ROWS else (4, 3, 2)
    singles = judge.ranked((parent,) for parent in _parents(rows, columns))
    if not singles:
        return ((),)
    best = [context[0] for context in singles[:_CANDIDATES]]
    pairs = judge.ranked((a, b) for a, b in combinations(best, 2) if a.column != b.column)
    triples = judge.ranked(
        (*pair, parent)
        for pair in pairs[:_EXTENDED]
        for parent in best
        if parent.column not in {p.column for p in pair}
    )
    return ((), *singles[:most_singles], *pairs[:most_pairs], *triples[:most_triples])


def _parents(rows: Symbols, columns: Sequence[Column]) -> Iterator[Parent]:
    for place, column in enumerate(columns):
        if not isinstance(column, Raw) and column.size > 1:
            yield Parent(place)
            yield from (Parent(place, levels) for levels in COARSE if column.size > 2 * levels)
            if _lasts(rows[:, place]):
                yield Parent(place, CHANGED)


def _lasts(symbols: Symbols) -> bool:
    """Whether rows that follow one another are alike more often than others."""
    after, far = np.roll(symbols, 1), np.roll(symbols, len(symbols) // 2)
    return len(symbols) > 2 and bool((symbols == after).mean() > (symbols == far).mean() + MORE_ALIKE)


class _Judge:
    """What a column costs in contexts."""

    def __init__(self, rows: Symbols, target: Symbols, columns: Sequence[Column], alone: npt.NDArray[np.int64]) -> None:
        self._symbols, self._columns, self._target = rows, columns, target.astype(np.int64)
        self._size = len(alone)
        self._new = np.log2(alone.sum() / alone)
        self._factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, len(rows) + 2)))]) / log(2)

    def ranked(self, contexts: Iterator[Context]) -> list[Context]:
        """Contexts without doubles, the cheapest first."""
        found = {tuple(sorted(context, key=lambda parent: (parent.column, parent.levels))) for context in contexts}
        return sorted(found, key=lambda context: (self._cost(context), [(p.column, p.levels) for p in context]))

    def _cost(self, context: Context) -> float:
        """Bits: sum over contexts of log2 n!, less log2 (count - 1)! of their symbols, and what is new there."""
        ids, count = numbered(context, self._columns, self._symbols)
        key = ids * self._size + self._target
        if count * self._size <= 8 * len(key):
            counts = np.bincount(key, minlength=count * self._size)
            which = np.flatnonzero(counts)
            counts = counts[which]
        else:
            which, counts = np.unique(key, return_counts=True)
        met = self._factorials[np.bincount(ids, minlength=count)].sum()
        return float(met - self._factorials[counts - 1].sum() + self._new[which % self._size].sum())

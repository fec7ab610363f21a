"""Symbols of a table's rows -> the model that codes them in few bytes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.column_coder import decisions_of
from taskcodec.coding.models.mixing.columns import Column, Context, Modelled, Numbers, Raw
from taskcodec.coding.models.mixing.contexts import places_of
from taskcodec.coding.models.mixing.model import MixedContexts
from taskcodec.coding.models.mixing.numbers import TOKENS, WIDTHS, Foretold, tokens_of
from taskcodec.coding.models.mixing.usual import usual_weights
from taskcodec.coding.symbol_model import Symbols
from taskcodec.fitting.lossless.fit import Progress
from taskcodec.fitting.tables.contexts import FEW_ROWS, chosen_contexts
from taskcodec.fitting.tables.foretelling import candidates
from taskcodec.fitting.tables.weights import fitted_weights
from taskcodec.transforms.values.tables.shapes import Bits, Shape, Whole

MAX_ROWS = 1 << 16
"""Rows that structure and weights are chosen by."""
LEVELS, LEVELS_OF_FEW = 16, 6
"""Levels of numbers on which later columns may depend; of few rows."""
WORTH_ORDER = 0.8
"""Symbols less those before are tried where their entropy is no more than this share of the symbols' own."""
TRIED = 2
"""Ways to foretell numbers that are tried with contexts."""


def fit_mixed(symbols: Symbols, shapes: Sequence[Shape], progress: Progress | None = None) -> MixedContexts:
    """(n, columns) symbols, of columns of these shapes -> their model."""
    rows, columns = symbols[:MAX_ROWS], list[Column]()
    for place, shape in enumerate(shapes):
        if isinstance(shape, Bits):
            columns.append(Raw(shape.gate, np.where(np.arange(shape.size) == shape.symbol, shape.width, 0)))
        elif isinstance(shape, Whole):
            columns.append(_whole(rows, place, columns, shape.gate))
        else:
            columns.append(_alphabet(rows, place, columns, shape.size))
        if progress is not None:
            progress(place + 1, len(shapes))
    used = {parent.column for column in columns for context in _law(column) for parent in context}
    kept = [_without_cuts(column) if place not in used else column for place, column in enumerate(columns)]
    return MixedContexts(tuple(kept))


def _alphabet(rows: Symbols, place: int, columns: Sequence[Column], size: int) -> Modelled:
    """A column of few symbols: as they are, or each less the one before."""
    target = rows[:, place]
    usual = _modelled(rows, target, columns, size)
    steps = replace(usual, in_order=True).coded(target)
    if _entropy(steps) > WORTH_ORDER * _entropy(target):
        return usual
    ordered = replace(_modelled(rows, steps, columns, size), in_order=True)
    return min((usual, ordered), key=lambda column: _bits(column, columns, rows, target))


def _whole(rows: Symbols, place: int, columns: Sequence[Column], gate: int | None) -> Column:
    present = rows if gate is None else rows[rows[:, gate] == 0]
    return _numbers(present, place, columns, gate, candidates(present[:, place], present, columns)[:TRIED])


def _numbers(
    rows: Symbols, place: int, columns: Sequence[Column], gate: int | None, ways: Sequence[Foretold]
) -> Column:
    """Numbers in rows that have one, by the best of the ways to foretell them."""
    target = rows[:, place]
    levels = LEVELS_OF_FEW if len(rows) <= FEW_ROWS else LEVELS
    cuts = np.unique(np.quantile(target, np.arange(1, levels) / levels, method="higher")) if len(rows) else target
    found = list[Numbers]()
    for way in ways:
        tokens, _ = tokens_of(way.remainders(target, rows))
        found.append(Numbers(way, _modelled(rows, tokens, columns, TOKENS), cuts.astype(np.int64), gate))
    return min(found, key=lambda column: _bits(column, columns, rows, target))


def _modelled(rows: Symbols, target: Symbols, columns: Sequence[Column], size: int) -> Modelled:
    """(n,) symbols of rows (n, more), as they follow from earlier columns."""
    counts = np.bincount(target, minlength=size)
    contexts = chosen_contexts(rows, target, columns, counts + 1)
    exponents = np.zeros(size, np.int64) if len(rows) <= FEW_ROWS else exponents_of(counts)
    plain = Modelled(exponents, contexts, usual_weights(contexts))
    return fitted_weights(plain, places_of(plain, columns, rows), target)


def _bits(column: Column, columns: Sequence[Column], rows: Symbols, target: Symbols) -> float:
    """What a column takes in rows that have it."""
    if isinstance(column, Numbers):
        tokens, _ = tokens_of(column.foretold.remainders(target, rows))
        return float(decisions_of(column.tokens, columns, rows, tokens).bits.sum() + WIDTHS[tokens].sum())
    assert isinstance(column, Modelled)
    return float(decisions_of(column, columns, rows, column.coded(target)).bits.sum())


def _entropy(symbols: Symbols) -> float:
    counts = np.bincount(symbols)
    seen = counts[counts > 0]
    return float((seen * np.log2(len(symbols) / seen)).sum())


def _law(column: Column) -> tuple[Context, ...]:
    law = column.tokens if isinstance(column, Numbers) else column
    return law.contexts if isinstance(law, Modelled) else ()


def _without_cuts(column: Column) -> Column:
    return replace(column, cuts=column.cuts[:0]) if isinstance(column, Numbers) else column


def exponents_of(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(size,) counts -> binary logarithms, rounded; 0 for what was never seen."""
    return np.round(np.log2(np.maximum(counts, 1))).astype(np.int64)

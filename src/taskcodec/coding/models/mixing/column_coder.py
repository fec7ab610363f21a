"""One column of rows on an ANS coder, given those before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import Column, Modelled, Raw
from taskcodec.coding.models.mixing.contexts import places_of
from taskcodec.coding.models.mixing.decisions import Integers, walk
from taskcodec.coding.models.mixing.numbers import WIDTHS, remainders_of, tokens_of
from taskcodec.coding.models.mixing.plain import fits, pop_plain, push_plain
from taskcodec.coding.models.tables import TABLE_BITS, TOTAL
from taskcodec.coding.symbol_model import Bits, Symbols

_DECISION = constriction.stream.model.Bernoulli(perfect=False)


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a column's symbols are coded as, in the order of decoding.

    Attributes:
        rows: whose decision each is.
        right: which way it went.
        chances: of going right, in units of 2**-16.
    """

    rows: Integers
    right: npt.NDArray[np.bool_]
    chances: Integers

    @property
    def bits(self) -> Bits:
        """Of an ideal coder, for each."""
        return np.asarray(TABLE_BITS - np.log2(np.where(self.right, self.chances, TOTAL - self.chances)))


def decisions_of(law: Modelled, columns: Sequence[Column], rows: Symbols, symbols: Symbols) -> Decisions:
    """How (n,) symbols of rows (n, at least the earlier columns) are coded by a law."""
    found, middle = list[tuple[Integers, npt.NDArray[np.bool_], Integers]](), law.tree.middle

    def decide(at: Integers, nodes: Integers, chances: Integers) -> npt.NDArray[np.bool_]:
        right = np.asarray(symbols[at] >= middle[nodes])
        found.append((at, right, chances))
        return right

    walk(law, places_of(law, columns, rows), decide)
    if not found:
        return Decisions(np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(0, np.int64))
    rows_of, went, chances_of = zip(*found, strict=True)
    return Decisions(np.concatenate(rows_of), np.concatenate(went), np.concatenate(chances_of))


def fitting_rows(column: Column, symbols: Symbols, rows: Symbols) -> npt.NDArray[np.bool_]:
    """Which of (n,) symbols a column may have in rows (n, columns) whose earlier columns fit."""
    if isinstance(column, Modelled):
        return np.asarray((symbols >= 0) & (symbols < column.size))
    if isinstance(column, Raw):
        return fits(symbols.view(np.uint32), column.widths[rows[:, column.gate]])
    absent = np.ones(len(rows), np.bool_)
    absent[column.present(rows)] = False
    return np.asarray(~absent | (symbols == 0))


def push_column(coder: Any, columns: Sequence[Column], place: int, rows: Symbols) -> None:
    """Push the column at a place of (n, columns) rows."""
    column, symbols = columns[place], np.ascontiguousarray(rows[:, place])
    if isinstance(column, Raw):
        push_plain(coder, symbols.view(np.uint32), column.widths[rows[:, column.gate]])
        return
    if isinstance(column, Modelled):
        _push_decisions(coder, decisions_of(column, columns, rows, column.coded(symbols)))
        return
    present = column.present(rows)
    tokens, plain = tokens_of(column.foretold.remainders(symbols[present], rows[present]))
    push_plain(coder, plain, WIDTHS[tokens])
    _push_decisions(coder, decisions_of(column.tokens, columns, rows[present], tokens))


def pop_column(coder: Any, columns: Sequence[Column], place: int, rows: Symbols) -> None:
    """Invert `push_column`: fill in the column of rows whose earlier columns are decoded, and others 0."""
    column = columns[place]

    def decide(at: Integers, nodes: Integers, chances: Integers) -> npt.NDArray[np.bool_]:
        return np.asarray(coder.decode(_DECISION, chances / TOTAL), np.bool_)

    if isinstance(column, Raw):
        rows[:, place] = pop_plain(coder, column.widths[rows[:, column.gate]]).view(np.int32)
    elif isinstance(column, Modelled):
        rows[:, place] = column.uncoded(walk(column, places_of(column, columns, rows), decide))
    else:
        present = column.present(rows)
        below = rows[present]
        tokens = walk(column.tokens, places_of(column.tokens, columns, below), decide)
        plain = pop_plain(coder, WIDTHS[tokens])
        rows[present, place] = column.foretold.numbers(remainders_of(tokens, plain), below)


def costs_of(columns: Sequence[Column], place: int, rows: Symbols) -> Bits:
    """(n,) bits of an ideal coder for the column at a place of (n, columns) rows."""
    column, symbols = columns[place], np.ascontiguousarray(rows[:, place])
    if isinstance(column, Raw):
        return column.widths[rows[:, column.gate]].astype(np.float64)
    if isinstance(column, Modelled):
        made = decisions_of(column, columns, rows, column.coded(symbols))
        return np.bincount(made.rows, made.bits, len(rows)).astype(np.float64)
    present, found = column.present(rows), np.zeros(len(rows))
    tokens, _ = tokens_of(column.foretold.remainders(symbols[present], rows[present]))
    made = decisions_of(column.tokens, columns, rows[present], tokens)
    found[present] = np.bincount(made.rows, made.bits, len(present)) + WIDTHS[tokens]
    return found


def _push_decisions(coder: Any, made: Decisions) -> None:
    coder.encode_reverse(made.right.astype(np.int32), _DECISION, made.chances / TOTAL)

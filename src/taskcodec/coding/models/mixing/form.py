"""Mixed contexts as bytes.

    MIXD := "MIXD" uint32(length) packed(marks) packed(weights)
    marks := columns, and for each  0, gate, width*(size of the gate's column)        plain bits
                                or  1, law                                            symbols, with 3 those in order
                                or  2, law, gate + 1 or 0, constant, in order, terms, (column, factor)*, cuts, rise*
    law := size, exponent*size, contexts, (parents, (column, levels)*)*

Weights of all columns follow, as differences from the usual ones, of which most are none.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import Cursor
from taskcodec.coding.models.mixing.columns import (
    BUCKETS,
    MAX_CONTEXTS,
    MAX_CUTS,
    MAX_PARENTS,
    MAX_SIZE,
    Column,
    Context,
    Modelled,
    Numbers,
    Parent,
    Raw,
)
from taskcodec.coding.models.mixing.numbers import MAX_TERMS, Foretold
from taskcodec.coding.models.mixing.usual import usual_weights
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers, unzigzag, zigzag
from taskcodec.errors import CorruptFileError

MAGIC = b"MIXD"
_WHAT = "mixed contexts"


def write_columns(columns: tuple[Column, ...]) -> bytes:
    """Columns -> bytes; equal columns give equal bytes."""
    marks, weights = [np.array([len(columns)])], [np.empty(0, np.int64)]
    for column in columns:
        if isinstance(column, Raw):
            marks += [np.array([0, column.gate]), column.widths]
            continue
        law = column.tokens if isinstance(column, Numbers) else column
        contexts = [[len(context), *(n for p in context for n in (p.column, p.levels))] for context in law.contexts]
        kind = 2 if isinstance(column, Numbers) else 1 + 2 * column.in_order
        marks += [np.array([kind, law.size]), law.exponents, np.array([len(contexts)]), *map(np.array, contexts)]
        weights.append(zigzag(law.weights - usual_weights(law.contexts)).ravel())
        if isinstance(column, Numbers):
            marks.append(_of_numbers(column))
    packed = [pack_numbers(np.concatenate(each).astype(np.uint64)) for each in (marks, weights)]
    return framed(MAGIC, packed[0]) + packed[1]


def read_columns(data: bytes) -> tuple[Column, ...]:
    """Invert `write_columns`. Raises CorruptFileError on anything else."""
    head, rest = unframed(data, MAGIC, _WHAT)
    marks, weights = (Cursor(unpack_numbers(each, _WHAT)) for each in (head, rest))
    columns = list[Column]()
    for _ in range(_one(marks)):
        kind = _at_most(_one(marks), 3)
        if kind:
            law = _law(marks, weights)
            columns.append(_numbers(marks, law) if kind == 2 else replace(law, in_order=kind == 3))
            continue
        gate = _one(marks)
        if gate >= len(columns) or not isinstance(of := columns[gate], Modelled):
            raise CorruptFileError(f"{_WHAT}: bits beside a column that is none of symbols")
        columns.append(Raw(gate, marks.take(of.size)))
    marks.finish()
    weights.finish()
    return tuple(columns)


def _law(marks: Cursor, weights: Cursor) -> Modelled:
    exponents = marks.take(_at_most(_one(marks), MAX_SIZE))
    contexts = tuple(_context(marks) for _ in range(_at_most(_one(marks), MAX_CONTEXTS)))
    size = (len(contexts), BUCKETS)
    difference = unzigzag(weights.take(size[0] * size[1])).reshape(size)
    return Modelled(exponents, contexts, usual_weights(contexts) + difference)


def _of_numbers(column: Numbers) -> npt.NDArray[np.int64]:
    foretold, gate = column.foretold, 0 if column.gate is None else column.gate + 1
    factors = zigzag(np.array([factor for _, factor in foretold.terms], np.int64)).tolist()
    terms = [n for (term, _), factor in zip(foretold.terms, factors, strict=True) for n in (term, factor)]
    constant, *rises = zigzag(np.array([foretold.constant, *np.diff(column.cuts, prepend=0)])).tolist()
    return np.array([gate, constant, int(foretold.in_order), len(foretold.terms), *terms, len(rises), *rises])


def _numbers(marks: Cursor, tokens: Modelled) -> Numbers:
    gate, constant, in_order, terms = marks.take(4).tolist()
    of = marks.take(2 * _at_most(terms, MAX_TERMS)).reshape(-1, 2)
    pairs = tuple(zip(of[:, 0].tolist(), unzigzag(of[:, 1]).tolist(), strict=True))
    cuts = np.cumsum(unzigzag(marks.take(_at_most(_one(marks), MAX_CUTS))))
    foretold = Foretold(int(unzigzag(np.array(constant))), pairs, bool(_at_most(in_order, 1)))
    return Numbers(foretold, tokens, cuts, gate - 1 if gate else None)


def _one(numbers: Cursor) -> int:
    return int(numbers.take(1)[0])


def _at_most(number: int, limit: int) -> int:
    if number > limit:
        raise CorruptFileError(f"{_WHAT}: damaged")
    return number


def _context(marks: Cursor) -> Context:
    numbers: npt.NDArray[np.int64] = marks.take(2 * _at_most(_one(marks), MAX_PARENTS))
    return tuple(Parent(int(column), int(levels)) for column, levels in numbers.reshape(-1, 2))

"""How whole numbers are foretold: by a constant, the row before, or a line through earlier columns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import Column, Raw
from taskcodec.coding.models.mixing.numbers import FACTOR_BITS, MAX_FACTOR, TOKENS, WIDTHS, Foretold, tokens_of
from taskcodec.coding.symbol_model import Symbols

MAX_TERMS = 3
LEAST_GAIN = 64.0
"""Bits that another term must save: about what it takes in a codec, and contexts then tell less."""

LISTING_BITS = 5.0
"""What a codec takes for a token that is used."""

Floats = npt.NDArray[np.float64]


def candidates(numbers: Symbols, rows: Symbols, columns: Sequence[Column]) -> list[Foretold]:
    """Ways to foretell (n,) numbers of rows (n, more), the cheapest first: alone, in order, by lines."""
    alone = Foretold(_middle(numbers.astype(np.int64)))
    found = [alone, Foretold(in_order=True)]
    lines = list(_lines(numbers, rows, columns))
    found += [*lines, *(replace(line, constant=0, in_order=True) for line in lines[-1:])]
    return sorted(found, key=lambda each: plain_cost(numbers, rows, each))


def plain_cost(numbers: Symbols, rows: Symbols, foretold: Foretold) -> float:
    """Bits of numbers whose tokens are counted, and of nothing else."""
    tokens, _ = tokens_of(foretold.remainders(numbers, rows))
    counts = np.bincount(tokens, minlength=TOKENS)
    seen = counts[counts > 0]
    learning = len(seen) * (np.log2(len(numbers) + 1) / 2 + LISTING_BITS)
    terms = LEAST_GAIN * len(foretold.terms)
    return float((seen * np.log2(counts.sum() / seen)).sum() + counts @ WIDTHS + learning + terms)


def _middle(numbers: npt.NDArray[np.int64]) -> int:
    return int(np.clip(np.median(numbers), -(2**31), 2**31 - 1)) if len(numbers) else 0


def _lines(numbers: Symbols, rows: Symbols, columns: Sequence[Column]) -> Iterator[Foretold]:
    """Lines through one earlier column, then two, ...: each next one that foretells best what is left."""
    usable = (
        [j for j, column in enumerate(columns) if not isinstance(column, Raw) and np.ptp(rows[:, j])]
        if len(rows)
        else []
    )
    if len(rows) < 8 or not usable:
        return
    wanted, known = numbers.astype(np.float64), rows[:, usable].astype(np.float64)
    centred = known - known.mean(axis=0)
    scaled = centred / np.linalg.norm(centred, axis=0)
    left, taken = wanted - wanted.mean(), list[int]()
    for _ in range(min(MAX_TERMS, len(usable))):
        likeness = abs(scaled.T @ left)
        likeness[taken] = -1
        taken.append(int(np.argmax(likeness)))
        slopes = np.linalg.lstsq(centred[:, taken], wanted - wanted.mean(), rcond=None)[0]
        left = wanted - wanted.mean() - centred[:, taken] @ slopes
        factors = np.round(slopes * (1 << FACTOR_BITS)).astype(np.int64)
        if (abs(factors) > MAX_FACTOR).any() or not factors.all():
            return
        terms = tuple((usable[j], int(factor)) for j, factor in zip(taken, factors, strict=True))
        total = sum(rows[:, column].astype(np.int64) * factor for column, factor in terms)
        yield Foretold(_middle(numbers - (total >> FACTOR_BITS)), terms)

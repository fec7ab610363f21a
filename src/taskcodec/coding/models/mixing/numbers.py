"""Whole numbers that are foretold by others of their row or by the row before; what remains is a token and plain bits.

    remains = number - (constant + sum(factor * number of an earlier column) >> FACTOR_BITS)      modulo 2**32
    or, where rows follow one another, the difference of that from the row before

A token says how many bits the remainder has, and its first ones: 0 to 15 are tokens of their own, and each doubling
beyond has 8. Remainders of both signs are folded: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError

FACTOR_BITS = 16
MAX_TERMS = 8
MAX_FACTOR = 1 << 26
"""So that sums stay below 2**62."""
DIRECT_BITS, FIRST_BITS = 4, 3
TOKENS = (1 << DIRECT_BITS) + (32 - DIRECT_BITS << FIRST_BITS)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Foretold:
    """How a number is foretold.

    Attributes:
        constant: added to the sum, in units of the numbers.
        terms: (earlier column, factor in units of 2**-FACTOR_BITS)*.
        in_order: whether the rows follow one another.
    """

    constant: int = 0
    terms: tuple[tuple[int, int], ...] = ()
    in_order: bool = False

    def __post_init__(self) -> None:
        if len(self.terms) > MAX_TERMS or any(abs(factor) > MAX_FACTOR for _, factor in self.terms):
            raise CorruptFileError("mixed contexts: a number is foretold by more than any of ours")
        if not -(2**31) <= self.constant < 2**31:
            raise CorruptFileError("mixed contexts: a constant of more than 32 bits")

    def _level(self, rows: Symbols) -> Integers:
        total = np.zeros(len(rows), np.int64)
        for column, factor in self.terms:
            total += rows[:, column].astype(np.int64) * factor
        return self.constant + (total >> FACTOR_BITS)

    def remainders(self, numbers: Symbols, rows: Symbols) -> npt.NDArray[np.uint32]:
        """(n,) numbers of rows (n, columns) -> (n,) what remains, folded."""
        found = _wrapped(numbers.astype(np.int64) - self._level(rows))
        if self.in_order:
            found = np.diff(found, prepend=np.int32(0))  # wraps around
        return ((found << 1) ^ (found >> 31)).view(np.uint32)

    def numbers(self, remainders: npt.NDArray[np.uint32], rows: Symbols) -> Symbols:
        """Invert `remainders`, of rows whose terms are decoded already."""
        found = (remainders >> np.uint32(1)).view(np.int32) ^ -(remainders & np.uint32(1)).view(np.int32)
        total = np.cumsum(found.astype(np.int64)) if self.in_order else found.astype(np.int64)
        return _wrapped(total + self._level(rows))


def _wrapped(numbers: Integers) -> Symbols:
    """Whole numbers modulo 2**32, from -2**31 on."""
    return (numbers & 0xFFFF_FFFF).astype(np.uint32).view(np.int32)


WIDTHS = np.array(
    [0] * (1 << DIRECT_BITS) + [bit - FIRST_BITS for bit in range(DIRECT_BITS, 32) for _ in range(1 << FIRST_BITS)]
)
"""(TOKENS,) how many plain bits follow each token."""


def tokens_of(remainders: npt.NDArray[np.uint32]) -> tuple[Symbols, npt.NDArray[np.uint32]]:
    """(n,) folded remainders -> their tokens, and their plain bits."""
    exponent = np.zeros(len(remainders), np.int64)
    for shift in (16, 8, 4, 2, 1):
        exponent += np.where((remainders >> exponent.astype(np.uint32)) >> np.uint32(shift) > 0, shift, 0)
    direct = exponent < DIRECT_BITS
    width = np.where(direct, 0, exponent - FIRST_BITS)
    first = (remainders >> width.astype(np.uint32)) & np.uint32((1 << FIRST_BITS) - 1)
    beyond = (1 << DIRECT_BITS) + ((exponent - DIRECT_BITS) << FIRST_BITS) + first
    tokens = np.where(direct, remainders, beyond).astype(np.int32)
    return tokens, remainders & ((np.uint32(1) << width.astype(np.uint32)) - np.uint32(1))


def remainders_of(tokens: Symbols, plain: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Invert `tokens_of`."""
    beyond = np.maximum(tokens.astype(np.int64) - (1 << DIRECT_BITS), 0)
    exponent = DIRECT_BITS + (beyond >> FIRST_BITS)
    first = (1 << FIRST_BITS) + (beyond & ((1 << FIRST_BITS) - 1))
    above = (first << (exponent - FIRST_BITS)).astype(np.uint32)
    return np.where(tokens < 1 << DIRECT_BITS, tokens.astype(np.uint32), above | plain)

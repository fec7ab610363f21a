"""Logarithms of odds in integers, as tables made by integers: the same on every machine.

Odds are measured in bits, ONE to a bit: `LOGARITHM[n]` is log2((n + 2/5) / (1/5)), so that the difference of two is
the log odds of one count against another, and `PROBABILITY[odds + LIMIT]` is 2**16 / (1 + 2**-odds), from 16 to
2**16 - 16.
"""

from math import isqrt

import numpy as np
import numpy.typing as npt

ONE_BITS = 10
ONE = 1 << ONE_BITS
LIMIT = 12 * ONE
"""Odds beyond 12 bits are taken for these."""
MAX_COUNT = (1 << 16) - 1
"""Counts that grow beyond it are halved."""
_FIXED = 60


def _log2(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Positive numbers below 2**31 -> floor(ONE * log2), by squaring: each square gives a bit."""
    exponent = np.zeros_like(numbers)
    for shift in (16, 8, 4, 2, 1):
        exponent += np.where(numbers >> exponent >= 1 << shift, shift, 0)
    mantissa, found = ((numbers << 31) >> exponent).astype(np.uint64), exponent << ONE_BITS
    for bit in range(ONE_BITS - 1, -1, -1):
        mantissa = (mantissa * mantissa) >> np.uint64(31)
        above = mantissa >> np.uint64(32)
        mantissa >>= above
        found += above.astype(np.int64) << bit
    return found


def _powers() -> npt.NDArray[np.int64]:
    """(ONE,) 2**(i / ONE) in units of 2**-30."""
    roots, root = list[int](), 2 << _FIXED
    for _ in range(ONE_BITS):
        root = isqrt(root << _FIXED)
        roots.append(root)
    powers = [1 << _FIXED]
    for root in reversed(roots):  # the smallest root first: i grows by its lowest bit first
        powers = powers + [power * root >> _FIXED for power in powers]
    return np.array([power >> (_FIXED - 30) for power in powers], np.int64)


def _probabilities() -> npt.NDArray[np.int32]:
    """(2 * LIMIT + 1,) chances in units of 2**-16 of odds from -LIMIT to LIMIT."""
    odds = np.arange(LIMIT + 1, dtype=np.int64)
    power = _powers()[odds & (ONE - 1)] << (odds >> ONE_BITS)
    above = (power << 16) // (power + (1 << 30))
    return np.concatenate([(1 << 16) - above[:0:-1], above]).astype(np.int32)


LOGARITHM = _log2(np.arange(MAX_COUNT + 1, dtype=np.int64) * 5 + 2).astype(np.int32)
PROBABILITY = _probabilities()

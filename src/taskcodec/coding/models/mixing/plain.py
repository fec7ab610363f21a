"""Plain bits: numbers of no known law on an ANS coder, each of its own width."""

from collections.abc import Iterator
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]


def push_plain(coder: Any, numbers: Numbers, widths: Integers) -> None:
    """Push (n,) numbers of so many bits, 0 to 32, so that `pop_plain` reads them."""
    for which, low, bits in reversed(list(_runs(widths))):
        part = (numbers[which] >> np.uint32(low)) & np.uint32((1 << bits) - 1)
        coder.encode_reverse(part.astype(np.int32), constriction.stream.model.Uniform(1 << bits))


def pop_plain(coder: Any, widths: Integers) -> Numbers:
    """Pop (n,) numbers of so many bits; those of none are 0."""
    numbers = np.zeros(len(widths), np.uint32)
    for which, low, bits in _runs(widths):
        part = coder.decode(constriction.stream.model.Uniform(1 << bits), len(which))
        numbers[which] |= part.astype(np.uint32) << np.uint32(low)
    return numbers


def fits(numbers: Numbers, widths: Integers) -> npt.NDArray[np.bool_]:
    """Whether each number has no more bits than its width."""
    return np.asarray(numbers.astype(np.uint64) >> widths.astype(np.uint64) == 0)


def _runs(widths: Integers) -> Iterator[tuple[Integers, int, int]]:
    """(n,) widths -> runs of numbers of at most 16 bits: where, the lowest of the bits, and how many."""
    for width in np.unique(widths).tolist():
        which = np.flatnonzero(widths == width)
        if width:
            yield which, 0, min(width, 16)
        if width > 16:
            yield which, 16, width - 16

"""Escaped symbols: what lies outside its table's run is coded as 32 raw bits, two uniform halves, the low one first."""

from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

HALF = constriction.stream.model.Uniform(1 << 16)


def push_escapes(coder: Any, symbols: npt.NDArray[np.int32]) -> None:
    """Push (m,) symbols so that `pop_escapes` reads them first to last."""
    coder.encode_reverse(halves(symbols), HALF)


def pop_escapes(coder: Any, count: int) -> npt.NDArray[np.int32]:
    """Pop (count,) symbols."""
    return whole(coder.decode(HALF, 2 * count))


def halves(symbols: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """(m,) symbols -> (2 m,) numbers below 2**16."""
    bits = symbols.view(np.uint32)
    return np.stack([bits & 0xFFFF, bits >> 16], axis=1).astype(np.int32).ravel()


def whole(parts: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Invert `halves`."""
    low_high = np.asarray(parts, dtype=np.uint32).reshape(-1, 2)
    return (low_high[:, 0] | (low_high[:, 1] << np.uint32(16))).view(np.int32)

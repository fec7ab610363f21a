"""Symbols of which each has counts of its own, computed and not shipped; all in integers.

weights (..., K) --rounded--> counts (..., K) that sum to 2**16 --constriction--> bits
"""

from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.tables import TOTAL
from taskcodec.coding.symbol_model import Symbols

Counts = npt.NDArray[np.int64]
_FAMILY = constriction.stream.model.Categorical(perfect=False)
"""As for tables: of counts that are exact in floats it makes the same models on every machine."""
MAX_WEIGHT = 2**46


def counts_of(weights: Counts) -> Counts:
    """(..., K) whole numbers from 0 to MAX_WEIGHT, not all 0 -> counts, each at least 1, in proportion."""
    k = weights.shape[-1]
    counts = 1 + weights * (TOTAL - k) // weights.sum(axis=-1, keepdims=True)
    left = TOTAL - counts.sum(axis=-1)
    most = weights.argmax(axis=-1)
    np.put_along_axis(counts, most[..., None], np.take_along_axis(counts, most[..., None], -1) + left[..., None], -1)
    return np.asarray(counts)


def push_counted(coder: Any, symbols: Symbols, counts: Counts) -> None:
    """Push symbols of any shape, from 0 to K - 1, each by its own counts (..., K)."""
    if symbols.size:
        coder.encode_reverse(symbols.ravel(), _FAMILY, counts.reshape(-1, counts.shape[-1]) / TOTAL)


def pop_counted(coder: Any, counts: Counts) -> Symbols:
    """Invert `push_counted`."""
    if not counts.size:
        return np.empty(counts.shape[:-1], np.int32)
    found = coder.decode(_FAMILY, counts.reshape(-1, counts.shape[-1]) / TOTAL)
    return np.asarray(found, np.int32).reshape(counts.shape[:-1])

"""Bytes by mixtures of fixed distributions, whose weights follow from logits that are whole numbers.

    logits (..., B) --powers--> weights (..., B);    counts of a byte = weights @ tables

All in whole numbers, or sums of them below 2**53 in float64: so every machine gets the same.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.tables import TOTAL
from taskcodec.coding.symbol_model import Bits, Symbols
from taskcodec.errors import CorruptFileError

VALUES = 256
WEIGHT_BITS = 13
"""Weights sum to 2**WEIGHT_BITS: with counts of 16 bits, and the 24 that the coder scales to, 53 bits hold them."""
WEIGHTS = 1 << WEIGHT_BITS
MAX_POWER = 1 << 20
MAX_COMPONENTS = 1 << 10
_FAMILY = constriction.stream.model.Categorical(perfect=False)
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """See the module.

    Attributes:
        powers: of 0, 1, 2, ... steps below the largest logit, falling, from MAX_POWER at most; what lies beyond has
            the last.
        tables: (B, 256) counts, each row of a sum of 2**16; the first has no zeros, and always some weight.
    """

    powers: Whole
    tables: Whole

    def check(self, what: str) -> None:
        """Raise CorruptFileError, which says of what, unless bytes can be coded."""
        tables, powers = self.tables, self.powers
        if tables.ndim != 2 or tables.shape[1] != VALUES or not 1 <= len(tables) <= MAX_COMPONENTS:
            raise CorruptFileError(f"{what}: its tables are not those of bytes")
        if (tables < 0).any() or (tables.sum(axis=1) != TOTAL).any() or (tables[0] == 0).any():
            raise CorruptFileError(f"{what}: a table that is none, or a first one with zeros")
        if not powers.size or powers[0] < 1 or powers.max() > MAX_POWER or powers.min() < 0:
            raise CorruptFileError(f"{what}: powers that are none")

    def push(self, coder: Any, symbols: Symbols, logits: Whole) -> None:
        """Push bytes of any shape, each by its own logits (..., B)."""
        if symbols.size:
            coder.encode_reverse(np.ascontiguousarray(symbols).ravel(), _FAMILY, self.chances(logits))

    def pop(self, coder: Any, logits: Whole) -> Symbols:
        """Invert `push`."""
        found = coder.decode(_FAMILY, self.chances(logits)) if logits.size else []
        return np.asarray(found, np.int32).reshape(logits.shape[:-1])

    def costs(self, symbols: Symbols, logits: Whole) -> Bits:
        """Bits of an ideal coder for each of some bytes."""
        return np.asarray(-np.log2((self._weights(logits) * self._shares.T[symbols]).sum(axis=-1)))

    def chances(self, logits: Whole) -> npt.NDArray[np.float64]:
        """(..., B) -> (k, 256) each byte's probability, exactly: multiples of 2**-(WEIGHT_BITS + 16)."""
        return self._weights(logits).reshape(-1, len(self.tables)) @ self._shares

    def _weights(self, logits: Whole) -> npt.NDArray[np.float64]:
        """(..., B) -> (..., B) whole numbers of a sum of WEIGHTS, that of the first table at least 1."""
        steps = np.minimum(logits.max(axis=-1, keepdims=True) - logits, self.powers.size - 1)
        powers = self.powers[steps]
        weights = powers * (WEIGHTS - 1) // powers.sum(axis=-1, keepdims=True)
        weights[..., 0] += 1
        most, left = powers.argmax(axis=-1)[..., None], WEIGHTS - weights.sum(axis=-1, keepdims=True)
        np.put_along_axis(weights, most, np.take_along_axis(weights, most, -1) + left, -1)
        return np.asarray(weights, np.float64)

    @cached_property
    def _shares(self) -> npt.NDArray[np.float64]:
        return self.tables / (TOTAL * WEIGHTS)

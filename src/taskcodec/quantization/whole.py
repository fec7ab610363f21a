"""No quantization: the latent of a lossless codec is whole numbers, and these are its symbols."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from taskcodec.quantization.uniform import Latent, Symbols


@dataclass(frozen=True)
class WholeNumbers:
    """Symbols as they are.

    Attributes:
        columns: c.
    """

    columns: int

    step: ClassVar[float] = 1.0
    slope: ClassVar[float] = 0.0

    def dequantize(self, symbols: Symbols) -> Latent:
        """(n, c) symbols -> the same as floats, exact up to 2**24: what a latent of other codecs is compared with."""
        return np.asarray(symbols, np.float32)

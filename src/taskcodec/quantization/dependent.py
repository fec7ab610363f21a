"""Dependent quantization: two quantizers of twice the step, of which a state machine says which each number is of.

    first      ... -4  -2   0   2   4 ...        symbol s -> 2 s
    second     ... -3  -1   0   1   3 ...        symbol s -> 2 s - sign(s)        both times the step

Their points together lie as densely as those of a uniform quantizer with this step; each symbol costs about what it
would with twice the step. Which points can follow which is a code, and what may be chosen along a sample fills space by
better cells than cubes (see `taskcodec.coding.trellis`). Symbols are chosen by a search
(`taskcodec.symbol_choice.trellis`); points are where the table above has them: shifting them by symbol gains .1 %.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding.trellis import Trellis
from taskcodec.errors import CorruptFileError
from taskcodec.quantization.uniform import MAX_SLOPE, MAX_SYMBOL, Latent, Symbols


@dataclass(frozen=True, eq=False)
class DependentQuantizer:
    """See the module.

    Attributes:
        step: in units of the latent.
        slope: what a bit is worth when symbols are chosen, in squared steps; decoders have no use for it.
        trellis: the state machine.
        columns: k.
    """

    step: float
    slope: float
    trellis: Trellis
    columns: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step) and self.step > 0 and 0 <= self.slope <= MAX_SLOPE):
            raise CorruptFileError(f"step {self.step} and slope {self.slope} are not a quantizer's")

    def dequantize(self, symbols: Symbols) -> Latent:
        """(n, k) symbols -> (n, k) latent."""
        symbols = np.asarray(symbols, dtype=np.int32)
        return points(symbols, self.trellis.along(symbols)).astype(np.float32) * np.float32(self.step)


def points(symbols: Symbols, second: npt.NDArray[np.uint8]) -> Symbols:
    """Symbols, and 1 where one is of the second quantizer -> their points, in steps."""
    return np.asarray(2 * symbols - np.sign(symbols) * second, dtype=np.int32)


def nearest_points(latent: Latent, second: npt.NDArray[np.uint8]) -> Symbols:
    """A latent in steps, and 1 where a number is of the second quantizer -> the symbols of the nearest points."""
    magnitude = np.minimum(np.abs(latent), np.float32(2 * MAX_SYMBOL - 2))
    found = np.rint(0.5 * (magnitude + second))
    found[(second == 1) & (magnitude < 0.5)] = 0
    return np.asarray(np.copysign(found, latent), dtype=np.int32)

"""Uniform threshold quantization with a dead zone, and reconstruction points.

A sample y in units of the step goes to symbol sign(y) * floor(|y| + rounding): `rounding` = 0.5 is rounding to the
nearest; less widens the zero cell, which is what entropy-constrained quantization of a peaked density does (Sullivan,
"Efficient scalar quantization of exponential and Laplacian random variables", 1996).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

Symbols = npt.NDArray[np.int32]
Latent = npt.NDArray[np.float32]

MAX_SYMBOL = 2**20
"""Symbols are clipped here: far outside any table, well inside int32, and exact in float32."""


class HasRuns(Protocol):
    """What tells which symbols of each of k columns have a reconstruction point of their own: `Tables`, or `Runs`."""

    @property
    def first(self) -> Symbols: ...
    @property
    def sizes(self) -> Symbols: ...


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of symbols, where they are not the tables': of a codec with conditional tables.

    Attributes:
        first: (k,) int32, the smallest symbol of each column's run.
        sizes: (k,) int32, how many symbols the run has, may be none.
    """

    first: Symbols
    sizes: Symbols

    def __post_init__(self) -> None:
        if self.first.ndim != 1 or self.first.shape != self.sizes.shape or (self.sizes < 0).any():
            raise CorruptFileError("runs of reconstruction points that no codec has")


def quantize(latent: Latent, step: float, rounding: float) -> Symbols:
    """(n, k) latent -> (n, k) symbols."""
    magnitude = np.abs(latent) * np.float32(1.0 / step)
    magnitude += np.float32(rounding)
    np.minimum(magnitude, np.float32(MAX_SYMBOL), out=magnitude)
    np.copysign(np.floor(magnitude, out=magnitude), latent, out=magnitude)
    return magnitude.astype(np.int32)


def dequantize(symbols: Symbols, step: float, runs: HasRuns, points: Latent) -> Latent:
    """(n, k) symbols -> (n, k) latent.

    `points` holds, aligned with the symbols in `runs`, the shift of each reconstruction point from symbol * step, in
    steps. Symbols outside their column's run are reconstructed at symbol * step.
    """
    symbols = np.asarray(symbols, dtype=np.int32)
    if not points.size:
        return symbols.astype(np.float32) * np.float32(step)
    base, first, sizes = point_offsets(runs), runs.first, runs.sizes
    index = symbols - first
    inside = (index >= 0) & (index < sizes)
    latent = symbols.astype(np.float32)
    latent += np.where(inside, points[np.where(inside, index + base, 0)], np.float32(0.0))
    latent *= np.float32(step)
    return latent


def point_offsets(runs: HasRuns) -> npt.NDArray[np.int64]:
    """(k,) where each column's points begin in the concatenated array."""
    return np.concatenate([[0], np.cumsum(runs.sizes[:-1], dtype=np.int64)])

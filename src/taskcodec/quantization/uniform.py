"""Uniform threshold quantization with a dead zone, and reconstruction points.

A sample y in units of the step goes to symbol sign(y) * floor(|y| + rounding): `rounding` = 0.5 is rounding to the
nearest; less widens the zero cell, which is what entropy-constrained quantization of a peaked density does (Sullivan,
"Efficient scalar quantization of exponential and Laplacian random variables", 1996).
"""

import math
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

Symbols = npt.NDArray[np.int32]
Latent = npt.NDArray[np.float32]

MAX_SYMBOL = 2**20
"""Symbols are clipped here: far outside any table, well inside int32, and exact in float32."""


MAX_SLOPE = 100.0
"""Squared steps for a bit: with more, next to nothing is ever worth one."""


class HasRuns(Protocol):
    """What tells which symbols of each of k columns have a reconstruction point of their own: `Tables`, or `Runs`."""

    @property
    def first(self) -> Symbols: ...
    @property
    def sizes(self) -> Symbols: ...


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of symbols, for each of k columns.

    Attributes:
        first: (k,) int32, the smallest symbol of each column's run.
        sizes: (k,) int32, how many symbols the run has, may be none.
    """

    first: Symbols
    sizes: Symbols

    def __post_init__(self) -> None:
        if self.first.ndim != 1 or self.first.shape != self.sizes.shape or (self.sizes < 0).any():
            raise CorruptFileError("runs of reconstruction points that no codec has")

    @classmethod
    def of(cls, tables: HasRuns | None, columns: int) -> Self:
        """Those of the tables that so many columns have; without tables no symbol has a point of its own."""
        none = np.zeros(columns, np.int32)
        return cls(none, none) if tables is None else cls(tables.first, tables.sizes)

    def are(self, other: HasRuns) -> bool:
        """Whether the other ones are the same."""
        return np.array_equal(self.first, other.first) and np.array_equal(self.sizes, other.sizes)


@dataclass(frozen=True, eq=False)
class UniformQuantizer:
    """A latent in steps, and back to reconstruction points.

    Attributes:
        step: in units of the latent.
        rounding: see the module.
        points: the shift of each reconstruction point from symbol * step, in steps, aligned with the runs' symbols.
        runs: which symbols have one.
        slope: what a bit is worth when symbols are chosen, in squared steps; 0: nothing, `rounding` says all. Decoders
            have no use for it.
    """

    step: float
    rounding: float
    points: Latent
    runs: Runs
    slope: float = 0.0

    def __post_init__(self) -> None:
        if self.points.shape != (int(self.runs.sizes.sum(dtype=np.int64)),):
            raise CorruptFileError("the reconstruction points of the codec do not fit its tables")
        if not (math.isfinite(self.step) and self.step > 0 and 0 <= self.rounding <= 0.5):
            raise CorruptFileError(f"step {self.step} and rounding {self.rounding} are not a quantizer's")
        if not 0 <= self.slope <= MAX_SLOPE:
            raise CorruptFileError(f"slope {self.slope} is not a quantizer's")

    @property
    def columns(self) -> int:
        """k."""
        return self.runs.sizes.size

    @classmethod
    def unshifted(cls, step: float, rounding: float, tables: HasRuns | None, columns: int) -> Self:
        """Every symbol, also those with a point, is reconstructed at symbol * step."""
        runs = Runs.of(tables, columns)
        return cls(step, rounding, np.zeros(int(runs.sizes.sum()), np.float32), runs)

    def quantize(self, latent: Latent) -> Symbols:
        """(n, k) latent -> (n, k) symbols."""
        return quantize(latent, self.step, self.rounding)

    def dequantize(self, symbols: Symbols) -> Latent:
        """(n, k) symbols -> (n, k) latent."""
        return dequantize(symbols, self.step, self.runs, self.points)


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

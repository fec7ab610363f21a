"""Uniform threshold quantization with a dead zone, and reconstruction points.

A sample y in units of the step goes to symbol sign(y) * floor(|y| + rounding): `rounding` = 0.5 is rounding to the
nearest; less widens the zero cell, which is what entropy-constrained quantization of a peaked density does (Sullivan,
"Efficient scalar quantization of exponential and Laplacian random variables", 1996).
"""

import numpy as np
import numpy.typing as npt

from taskcodec.coding import Tables

Symbols = npt.NDArray[np.int32]
Latent = npt.NDArray[np.float32]

MAX_SYMBOL = 2**20
"""Symbols are clipped here: far outside any table, well inside int32, and exact in float32."""


def quantize(latent: Latent, step: float, rounding: float) -> Symbols:
    """(n, k) latent -> (n, k) symbols."""
    magnitude = np.abs(latent) * np.float32(1.0 / step)
    magnitude += np.float32(rounding)
    np.minimum(magnitude, np.float32(MAX_SYMBOL), out=magnitude)
    np.copysign(np.floor(magnitude, out=magnitude), latent, out=magnitude)
    return magnitude.astype(np.int32)


def dequantize(symbols: Symbols, step: float, tables: Tables, points: Latent) -> Latent:
    """(n, k) symbols -> (n, k) latent.

    `points` holds, aligned with the in-range symbols of `tables`, the shift of each reconstruction point from
    symbol * step, in steps. Symbols outside their table's range are reconstructed at symbol * step.
    """
    symbols = np.asarray(symbols, dtype=np.int32)
    base, first, sizes = point_offsets(tables), tables.first, tables.sizes
    index = symbols - first
    inside = (index >= 0) & (index < sizes)
    latent = symbols.astype(np.float32)
    latent += np.where(inside, points[np.where(inside, index + base, 0)], np.float32(0.0))
    latent *= np.float32(step)
    return latent


def point_offsets(tables: Tables) -> npt.NDArray[np.int64]:
    """(k,) where each column's points begin in the concatenated array."""
    return np.concatenate([[0], np.cumsum(tables.sizes[:-1], dtype=np.int64)])

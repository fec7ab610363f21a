"""Textures for scenes: fields of brightness in [-1, 1], drawn at random."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def texture(rng: np.random.Generator, rows: Floats, columns: Floats, size: float) -> Floats:
    """(H, W) stripes, checks, clouds, a ramp or nothing.

    Args:
        rows, columns: (H, 1) and (1, W) coordinates.
        size: extent of what is textured, in the coordinates' unit; patterns have a few periods in it.
    """
    kind = int(rng.integers(5))
    turn, phase = rng.uniform(0, 2 * np.pi, 2)
    along = (np.cos(turn) * columns + np.sin(turn) * rows) / size
    across = (np.cos(turn) * rows - np.sin(turn) * columns) / size
    periods = rng.uniform(1.5, 5)
    if kind == 0:
        return np.asarray(np.sign(np.sin(2 * np.pi * periods * along + phase)))
    if kind == 1:
        waves = np.sin(2 * np.pi * periods * along + phase) * np.sin(2 * np.pi * periods * across + phase)
        return np.asarray(np.sign(waves))
    if kind == 2:
        return clouds(rng, np.broadcast(rows, columns).shape, max(1.0, size / periods))
    if kind == 3:
        return np.asarray(np.tanh(2 * along))
    return np.zeros(np.broadcast(rows, columns).shape)


def clouds(rng: np.random.Generator, shape: tuple[int, ...], size: float) -> Floats:
    """(H, W) smooth noise of two octaves, the coarse one `size` pixels wide."""
    total = np.zeros(shape)
    for octave, weight in ((size, 0.7), (max(1.0, size / 3), 0.3)):
        knots = rng.uniform(-1, 1, [int(side / octave) + 2 for side in shape])
        total += weight * _stretched(_stretched(knots, shape[0], octave).T, shape[1], octave).T
    return total


def _stretched(knots: Floats, length: int, spacing: float) -> Floats:
    """(k, m) -> (length, m), linear between rows that stand `spacing` apart."""
    place = np.arange(length) / spacing
    below = place.astype(np.intp)
    share = (place - below)[:, None]
    result: Floats = (1 - share) * knots[below] + share * knots[below + 1]
    return result

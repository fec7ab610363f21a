"""Features as a fit is given them: what it takes, where their centre is, whether they are of norm 1."""

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError
from taskcodec.samples import as_features

LARGEST = 1e15
"""Features beyond this are no measurements, and their squares leave float32."""
UNIT_NORM = 5e-3
"""Features whose norms are all this near 1 are of norm 1, as encoders of text give them, in 16 bits perhaps."""
LONE_CENTRE = 4.0
"""How many samples the median feature counts for in the centre of fewer than CENTRE_SAMPLES samples."""
CENTRE_SAMPLES = 8

Features = npt.NDArray[np.float32]


def checked(features: npt.ArrayLike) -> Features:
    """(n, d) features, n and d at least 1. Raises MismatchError where they are none, or not finite, or too large."""
    x = as_features(features)
    if x.ndim != 2 or 0 in x.shape:
        raise MismatchError(f"expected one feature vector or more as an (n, d) array, found {x.shape}")
    if not np.isfinite(x).all():
        raise MismatchError("features hold NaN or infinity")
    if np.abs(x).max() > LARGEST:
        raise MismatchError(f"features beyond {LARGEST:g} in magnitude: bring them to a sensible unit first")
    return x


def centre_of(companded: Features) -> npt.NDArray[np.float64]:
    """(d,) the mean, for features coded as they are; of very few samples shrunk to the median feature's mean.

    Else nothing would be left of the first sample, nor of what tells others from it. The mean is shrunk no more than
    samples that differ warrant (James and Stein, "Estimation with quadratic loss", 1961): hardly at all where features
    are in different units.
    """
    mean, n = companded.mean(axis=0, dtype=np.float64), len(companded)
    if n >= CENTRE_SAMPLES:
        return np.asarray(mean)
    weight, middle = LONE_CENTRE / (n + LONE_CENTRE), float(np.median(mean))
    between = float(np.square(mean - middle).mean())
    if n > 1 and between > 0:
        weight = min(weight, float(companded.var(axis=0, ddof=1, dtype=np.float64).mean()) / (n * between))
    return np.asarray((1 - weight) * mean + weight * middle)


def is_unit_norm(x: Features) -> bool:
    """Whether the features are of norm 1, and not for want of another number that they could be."""
    return x.shape[1] > 1 and bool((np.abs(np.linalg.norm(x, axis=1) - 1) < UNIT_NORM).all())

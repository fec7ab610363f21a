"""What differs between augmented views of one image: the noise of the linear-Gaussian information bottleneck."""

import math

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError, UsageError

USUAL_EXPONENT = 12
"""Variances within this power of two of 1 are left as they are."""


def within_covariance(views: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(v, m, d) views -> (d, d) covariance of the views of one image around their mean."""
    if views.ndim != 3 or len(views) < 2:
        raise MismatchError(f"expected views of shape (v >= 2, m, d), found {views.shape}")
    residual = (views - views.mean(axis=0, keepdims=True)).reshape(-1, views.shape[-1]).astype(np.float64)
    return np.asarray(residual.T @ residual / ((len(views) - 1) * views.shape[1]))


def near_one(within: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(d, d) times the power of four that brings its mean eigenvalue near 1, where that is in an unusual unit.

    What whitens by it is the same but for a power of two, and half precision holds it. Raises UsageError on a
    covariance of views that do not differ.
    """
    mean = float(np.trace(within)) / len(within)
    if not mean > 0:
        raise UsageError("views: those of each image are all the same, so they tell nothing: leave them out")
    exponent = math.frexp(mean)[1]
    return within if abs(exponent) <= USUAL_EXPONENT else within / 4.0 ** (exponent // 2)

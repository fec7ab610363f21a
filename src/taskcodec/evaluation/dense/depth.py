"""Errors of depth, as the field reports them (Eigen et al. 2014, arXiv:1406.2283, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NEAR = 1.25
"""A pixel counts for `within` where predicted and true depth differ by less than this factor."""


@dataclass(frozen=True)
class DepthErrors:
    """Over the pixels of a picture whose depth is known.

    Attributes:
        abs_rel: mean of |predicted - true| / true.
        rmse: metres.
        within: share of pixels within a factor of NEAR.
    """

    abs_rel: float
    rmse: float
    within: float


def depth_errors(predicted: npt.NDArray[Any], truth: npt.NDArray[Any]) -> DepthErrors | None:
    """(H, W) metres each, 0 in `truth` where it is not known -> the errors; None where nothing is known."""
    known = truth > 0
    if not known.any():
        return None
    found, true = np.maximum(predicted[known].astype(np.float64), 1e-6), truth[known].astype(np.float64)
    ratio = np.maximum(found / true, true / found)
    return DepthErrors(
        float((abs(found - true) / true).mean()),
        float(np.sqrt(np.square(found - true).mean())),
        float((ratio < NEAR).mean()),
    )

"""Samples that are copies of each other: parts that are to tell of each other must not share them."""

import numpy as np
import numpy.typing as npt


def numbered(x: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """(n, d) samples -> (n,) numbers from 0 up in the order in which they first appear, alike for copies."""
    rows = np.ascontiguousarray(x).view(f"V{x.shape[1] * x.itemsize}").ravel()
    first, own = np.unique(rows, return_index=True, return_inverse=True)[1:]
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[own])

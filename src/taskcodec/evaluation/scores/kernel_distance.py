"""How far apart the laws of two sets of feature vectors are: the kernel distance.

Binkowski et al., "Demystifying MMD GANs" (ICLR 2018), section 4: the unbiased estimate of the squared maximum mean
discrepancy with the kernel (x . y / d + 1)^3. On features of Inception it is called KID; on others it is not that, so
name the features with it.
"""

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError

POWER = 3


def kernel_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """(n, d) and (m, d) features -> 0 in the mean where both have one law, also below it.

    Raises MismatchError unless both have two rows or more of one length, and finite numbers.
    """
    x, y = (np.asarray(each, dtype=np.float64) for each in (a, b))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2 or not x.shape[1]:
        raise MismatchError(f"kernel distance: two sets of two vectors or more, found shapes {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise MismatchError("kernel distance: features hold NaN or infinity")
    return _within(x) + _within(y) - 2 * float(_kernel(x, y).mean())


def _kernel(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** POWER)


def _within(x: npt.NDArray[np.float64]) -> float:
    """The mean over pairs of two different rows."""
    kernel = _kernel(x, x)
    return float((kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1)))

"""What differs between augmented views of one image: the noise of the linear-Gaussian information bottleneck."""

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError


def within_covariance(views: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(v, m, d) views -> (d, d) covariance of the views of one image around their mean."""
    if views.ndim != 3 or len(views) < 2:
        raise MismatchError(f"expected views of shape (v >= 2, m, d), found {views.shape}")
    residual = (views - views.mean(axis=0, keepdims=True)).reshape(-1, views.shape[-1]).astype(np.float64)
    return np.asarray(residual.T @ residual / ((len(views) - 1) * views.shape[1]))

"""What differs between augmented views of one image, measured once for a bundled backbone.

Views of one's own images say what does not matter there; but views of few or small images also take away what does
(measured: benchmarks/README.md). So for `lite0` the package carries the covariance within views of the photographs
that its codec was fitted on: the leading axes, and one variance for the rest.
"""

from importlib import resources

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from taskcodec.errors import MismatchError

Array64 = npt.NDArray[np.float64]
AXES = 256
"""Axes kept: the variance beyond them lies under the ridge that whitening adds."""


def within_covariance(views: npt.NDArray[np.float32]) -> Array64:
    """(v, m, d) views -> (d, d) covariance of the views of one image around their mean."""
    if views.ndim != 3 or len(views) < 2:
        raise MismatchError(f"expected views of shape (v >= 2, m, d), found {views.shape}")
    residual = (views - views.mean(axis=0, keepdims=True)).reshape(-1, views.shape[-1]).astype(np.float64)
    return np.asarray(residual.T @ residual / ((len(views) - 1) * views.shape[1]))


def pack_within(within: Array64, axes: int = AXES) -> bytes:
    """(d, d) covariance -> the bytes of a safetensors file: `factor` (axes, d) float16, `rest` (1,) float32."""
    values, vectors = np.linalg.eigh(within)
    factor = vectors[:, -axes:] * np.sqrt(np.maximum(values[-axes:], 0.0))
    rest = max(float(values[:-axes].sum()) / len(values), 0.0) if axes < len(values) else 0.0
    return save({"factor": factor.T.astype("<f2").copy(), "rest": np.array([rest], "<f4")})


def unpack_within(data: bytes) -> Array64:
    """Invert `pack_within`, up to what it leaves out."""
    tensors = load(data)
    factor = tensors["factor"].astype(np.float64)
    return np.asarray(factor.T @ factor + float(tensors["rest"][0]) * np.eye(factor.shape[1]))


def bundled_within(backbone: str) -> Array64 | None:
    """(d, d) covariance within views, for square roots of the features of a bundled backbone; None for another."""
    file = resources.files("taskcodec").joinpath(f"bundled/{backbone}.within")
    return unpack_within(file.read_bytes()) if backbone.isalnum() and file.is_file() else None

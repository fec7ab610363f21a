"""Squared error of features: the distortion of frozen features for which a uniform step is optimal at high rate.

Beside `feature_l1`, which "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021) trains with.
"""

from torch import Tensor


def feature_l2(decoded: Tensor, features: Tensor) -> Tensor:
    """(n, d) decoded and original features -> (n,) sum over the dimensions of their squared differences."""
    return (decoded - features).square().sum(dim=1)

"""L1 distortion of features.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), zero-shot compressor: the features of a
pretrained backbone already gather what augmentations leave alone, so that keeping them keeps the tasks.
"""

from torch import Tensor


def feature_l1(decoded: Tensor, features: Tensor) -> Tensor:
    """(n, d) decoded and original features -> (n,) sum over the dimensions of their absolute differences."""
    return (decoded - features).abs().sum(dim=1)

"""L1 distortion of features.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), zero-shot compressor: the features of a
pretrained backbone already gather what augmentations leave alone, so that keeping them keeps the tasks.
"""

from torch import Tensor

from taskcodec.distortions.objective import Reconstruction


def absolute_error(decoded: Tensor, target: Tensor) -> Tensor:
    """(n, ...), (n, ...) -> (n,) sum of absolute differences."""
    return (decoded - target).abs().flatten(1).sum(dim=1)


class FeatureL1(Reconstruction):
    """The absolute error of the features."""

    def error(self, decoded: Tensor, target: Tensor) -> Tensor:
        return absolute_error(decoded, target)

"""L1 distortion of features.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), zero-shot compressor: the features of a
pretrained backbone already gather what augmentations leave alone, so that keeping them keeps the tasks.
"""

from collections.abc import Sequence

from torch import Tensor

from taskcodec.distortions.objective import Reconstruction, Seen, absolute_error


class FeatureL1(Reconstruction):
    """See the module."""

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """The absolute error against the features."""
        return absolute_error(self.decoded(codes), seen.clean)

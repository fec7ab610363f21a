"""Squared error of features: the distortion of frozen features for which a uniform step is optimal at high rate.

Beside `feature_l1`, which "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021) trains with.
"""

from collections.abc import Sequence

from torch import Tensor

from taskcodec.distortions.objective import Reconstruction, Seen, squared_error


class FeatureL2(Reconstruction):
    """See the module."""

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """The squared error against the features."""
        return squared_error(self.decoded(codes), seen.clean)

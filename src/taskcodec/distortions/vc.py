"""VC, variational compression: the usual neural compressor, which reconstructs what it was given.

The baseline of "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 5: it sees the same
augmented views as VIC, and must spend bits on how each was augmented.
"""

from collections.abc import Sequence

from torch import Tensor

from taskcodec.distortions.objective import Reconstruction, Seen, squared_error


class VC(Reconstruction):
    """See the module."""

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """The squared error against the view that was coded."""
        return squared_error(self.decoded(codes), seen.views[0])

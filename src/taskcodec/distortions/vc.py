"""VC, variational compression: the usual neural compressor, which reconstructs what it was given.

The baseline of "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 5: it sees the same
augmented views as VIC, and must spend bits on how each was augmented.
"""

from torch import Tensor

from taskcodec.distortions.objective import Reconstruction, Seen


class VC(Reconstruction):
    """The squared error of the view that was coded."""

    def target(self, seen: Seen) -> Tensor:
        return seen.views[0]

"""VIC, variational invariant compression: what is decoded from an augmented view should be the UNaugmented sample.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.1: with a Gaussian decoder of unit
spread, -log q(x | y_hat) is half the squared error up to a constant. As all views of a sample share one target, bits on
what tells the views apart buy nothing.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from taskcodec.distortions.objective import Reconstruction, Seen, squared_error


class VIC(Reconstruction):
    """target: what is reconstructed of a sample, which augmentations must leave alone, such as a canonical
    representative; None for the sample itself.
    """

    def __init__(self, g_s: nn.Module, target: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__(g_s)
        self.target = target

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """The squared error against the target."""
        decoded = self.decoded(codes)
        return squared_error(decoded, seen.clean if self.target is None else self.target(seen.clean))

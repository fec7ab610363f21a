"""VIC, variational invariant compression: what is decoded from an augmented view should be the UNaugmented sample.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.1: with a Gaussian decoder of unit
spread, -log q(x | y_hat) is half the squared error up to a constant. As all views of a sample share one target, bits on
what tells the views apart buy nothing.
"""

from collections.abc import Callable

from torch import Tensor, nn

from taskcodec.distortions.objective import Reconstruction, Seen


class VIC(Reconstruction):
    """The squared error of the sample without augmentation.

    of: what is reconstructed of a sample in its place, which augmentations leave alone, such as a canonical
    representative.
    """

    def __init__(self, g_s: nn.Module, of: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__(g_s)
        self.of = of

    def target(self, seen: Seen) -> Tensor:
        return seen.clean if self.of is None else self.of(seen.clean)

"""VIC, variational invariant compression: what is decoded from an augmented view should be the UNaugmented sample.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.1: with a Gaussian decoder of unit
spread, -log q(x | y_hat) is half the squared error up to a constant. As all views of a sample share one target, bits on
what tells the views apart buy nothing.
"""

from torch import Tensor


def vic(decoded: Tensor, clean: Tensor) -> Tensor:
    """(n, ...) decoded from the code of a view, (n, ...) the sample without augmentation -> (n,) squared error.

    `clean` may be any function of the sample that augmentations leave alone, such as a canonical representative.
    """
    return (decoded - clean).square().flatten(1).sum(dim=1)

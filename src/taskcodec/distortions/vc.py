"""VC, variational compression: the usual neural compressor, which reconstructs what it was given.

The baseline of "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 5: it sees the same
augmented views as VIC, and must spend bits on how each was augmented.
"""

from torch import Tensor


def vc(decoded: Tensor, view: Tensor) -> Tensor:
    """(n, ...) decoded from the code of a view, (n, ...) that view -> (n,) squared error."""
    return (decoded - view).square().flatten(1).sum(dim=1)

"""The loss of one known task, in bits: the reference that no unsupervised objective can beat on that task.

The information bottleneck (Tishby, Pereira, Bialek, 1999) with the decoder as variational bound (Alemi et al., "Deep
variational information bottleneck", ICLR 2017): distortion = -log2 q(label | y_hat).
"""

import math

from torch import Tensor
from torch.nn.functional import cross_entropy


def supervised(scores: Tensor, labels: Tensor) -> Tensor:
    """(n, classes) scores from the decoded latent, (n,) class numbers -> (n,) bits of log loss."""
    return cross_entropy(scores, labels, reduction="none") / math.log(2)

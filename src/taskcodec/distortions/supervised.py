"""The loss of one known task, in bits: the reference that no unsupervised objective can beat on that task.

The information bottleneck (Tishby, Pereira, Bialek, 1999) with the decoder as variational bound (Alemi et al., "Deep
variational information bottleneck", ICLR 2017): distortion = -log2 q(label | y_hat).
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from taskcodec.distortions.objective import Objective, Seen


class Supervised(Objective):
    """classifier: (n, k) decoded latents -> (n, classes) scores."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """(n,) bits of log loss."""
        return cross_entropy(self.classifier(codes[0]), seen.labels, reduction="none") / math.log(2)

"""BINCE whose candidates are the samples themselves: the code of a view must tell which of them it is a view of.

    y_hat --g_s--> x_hat;   bits(i) = -log2  exp(-|x_hat_i - x_i|^2 / t) / sum over j of exp(-|x_hat_i - x_j|^2 / t)

where x_j are samples without augmentation, and t a learned temperature in units of the mean squared distance of two
samples. "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.2, leaves open what a view
is compared with and by which critic. Two strong views of a sample each lose what the other may show, and what both show
is all that they ask a code to keep; the sample shows all of it (docs/bince.md). Samples do not change while networks
learn, so a queue of them does not grow stale.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taskcodec.distortions.infonce import InfoNCE, gathered, lost_bits, rank
from taskcodec.distortions.objective import Seen


class SampleBINCE(InfoNCE):
    """The distortion with what it learns: synthesis transform g_s and temperature.

    Args:
        g_s: from latents to what is compared with samples.
        size: numbers of a sample.
        queue: earlier samples kept as further candidates; 0 for none.
    """

    def __init__(self, g_s: nn.Module, size: int, queue: int = 0) -> None:
        super().__init__(size, queue)
        self.g_s = g_s

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """See `forward`."""
        return self(self.g_s(codes[0]), seen.clean, seen.ids)  # type: ignore[no-any-return]

    def forward(self, made: Tensor, samples: Tensor, ids: Tensor) -> Tensor:
        """(n, ...) what g_s makes of the code of a view, (n, ...) the samples -> (n,) bits.

        ids: (n,) int64, what the samples are told apart by: one that is twice in a batch, or still in the queue, is no
        candidate against itself. Under torch.distributed the candidates are the samples of all processes.
        """
        with torch.autocast(made.device.type, enabled=False):
            n, every = len(samples), gathered(ids)
            batch = gathered(samples.float().flatten(1))
            candidates, owners = self.with_earlier(batch, every)
            self.remember(batch, every)
            unit = 2 * (batch - batch.mean(0)).square().sum(1).mean()
            unit = unit.clamp_min(torch.finfo(unit.dtype).eps)  # of equal samples
            # Of the squared distance what a row's candidates share is left out.
            scores = 2 * made.float().flatten(1) @ candidates.T - candidates.square().sum(1)
            own = torch.arange(n, device=batch.device) + rank() * n
            return lost_bits(scores / (unit * self.temperature), own, ids, owners)

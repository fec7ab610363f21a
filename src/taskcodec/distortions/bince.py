"""BINCE, bottleneck InfoNCE: the code of a view must tell which of many samples another view came from.

    y_hat --projection--> unit vector u;   bits(i) = -log2  exp(u_i . u_i+ / t) / sum over j of exp(u_i . u_j / t)

where i+ is the other view of the same sample, and j runs over i+ and all views of other samples.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.2: the expectation upper-bounds
H[M | Z] up to a constant, so what the code keeps is what identifies the sample up to its augmentations.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from taskcodec.distortions.infonce import InfoNCE, gathered, lost_bits, rank
from taskcodec.distortions.objective import Seen


class BINCE(InfoNCE):
    """The distortion with what it learns: projection and temperature.

    Args:
        columns: k of the latent.
        hidden: width of the projection.
        outputs: dimension of the unit vectors.
        queue: earlier projections kept as further candidates; 0 for none.
    """

    views = 2

    def __init__(self, columns: int, hidden: int = 256, outputs: int = 64, queue: int = 0) -> None:
        super().__init__(outputs, queue)
        self.project = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """See `forward`."""
        return self(*codes, seen.ids)  # type: ignore[no-any-return]

    def forward(self, first: Tensor, second: Tensor, ids: Tensor) -> Tensor:
        """(n, k) decoded latents of one view of each sample, and of another -> (n,) bits, the mean of both directions.

        ids: (n,) int64, what the samples are told apart by: views of one sample are no candidates against each other,
        be it twice in a batch or still in the queue. Under torch.distributed the candidates are those of all processes,
        and gradients reach all of them.
        """
        with torch.autocast(first.device.type, enabled=False):
            mine = normalize(self.project(torch.cat([first, second]).float()), dim=1)
            n = len(first)
            a, b, every = gathered(mine[:n]), gathered(mine[n:]), gathered(ids)
            candidates, owners = self.with_earlier(torch.cat([a, b]), every.repeat(2))
            self.remember(a, every)
            rows = torch.arange(n, device=mine.device) + rank() * n
            other = torch.cat([rows + len(a), rows])
            bits = lost_bits(mine @ candidates.T / self.temperature, other, ids.repeat(2), owners)
        return (bits[:n] + bits[n:]) / 2

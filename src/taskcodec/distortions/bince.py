"""BINCE, bottleneck InfoNCE: the code of a view must tell which of many samples another view came from.

    y_hat --projection--> unit vector u;   bits(i) = -log2  exp(u_i . u_i+ / t) / sum over j != i of exp(u_i . u_j / t)

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.2: the expectation upper-bounds
H[M | Z] up to a constant, so what the code keeps is what identifies the sample up to its augmentations. The bound
stops at log2 of the number of candidates: a queue of earlier samples (He et al., "Momentum contrast", 2020) adds
candidates where the batch is small.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributed import get_rank, is_available, is_initialized
from torch.nn.functional import normalize

START_TEMPERATURE = 0.07
FLOOR_TEMPERATURE = 0.01


class BINCE(nn.Module):
    """The distortion with what it learns: projection and temperature.

    Args:
        columns: k of the latent.
        hidden: width of the projection.
        outputs: dimension of the unit vectors.
        queue: earlier projections kept as further candidates; 0 for none.
    """

    past: Tensor
    filled: Tensor

    def __init__(self, columns: int, hidden: int = 256, outputs: int = 64, queue: int = 0) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        # The temperature is the floor plus something positive: a clamp would have no gradient once it is reached.
        self.excess = nn.Parameter(torch.tensor(math.log(START_TEMPERATURE - FLOOR_TEMPERATURE)))
        self.register_buffer("past", torch.zeros(queue, outputs))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @property
    def temperature(self) -> Tensor:
        """t, above its floor and learned with everything else."""
        return FLOOR_TEMPERATURE + self.excess.exp()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(n, k) decoded latents of one view of each sample, and of another -> (n,) bits, the mean of both directions.

        Under torch.distributed the candidates are those of all processes, and gradients reach all of them.
        """
        with torch.autocast(first.device.type, enabled=False):
            mine = normalize(self.project(torch.cat([first, second]).float()), dim=1)
            n = len(first)
            a, b = _gathered(mine[:n]), _gathered(mine[n:])
            candidates = torch.cat([a, b])
            rank = get_rank() if is_available() and is_initialized() else 0
            rows = torch.arange(n, device=mine.device) + rank * n
            own, other = torch.cat([rows, rows + len(a)]), torch.cat([rows + len(a), rows])
            scores = mine @ candidates.T / self.temperature
            positive = scores.gather(1, other[:, None])[:, 0]
            scores = scores.scatter(1, own[:, None], -torch.inf)  # no sample is its own candidate
            if len(self.past):
                kept = self.past[: min(int(self.filled), len(self.past))].clone()
                scores = torch.cat([scores, mine @ kept.T / self.temperature], dim=1)
                if self.training:
                    self._remember(candidates[: len(a)].detach())
            bits = (scores.logsumexp(dim=1) - positive) / math.log(2)
        return (bits[:n] + bits[n:]) / 2

    @torch.no_grad()
    def _remember(self, latest: Tensor) -> None:
        size = len(self.past)
        latest = latest[-size:]
        places = (self.filled + torch.arange(len(latest), device=latest.device)) % size
        self.past[places] = latest
        self.filled += len(latest)


def _gathered(part: Tensor) -> Tensor:
    """(n, d) of this process -> (processes * n, d) of all, in the order of their ranks, with gradients."""
    if not (is_available() and is_initialized()):
        return part
    from torch.distributed.nn.functional import all_gather

    return torch.cat(list(all_gather(part)))  # type: ignore[no-untyped-call]

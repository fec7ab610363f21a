"""BINCE, bottleneck InfoNCE: the code of a view must tell which of many samples another view came from.

    y_hat --projection--> unit vector u;   bits(i) = -log2  exp(u_i . u_i+ / t) / sum over j of exp(u_i . u_j / t)

where i+ is the other view of the same sample, and j runs over i+ and all views of other samples. With the sample as
it is as positive, i+ is that of a view, and a view that of i+: of two strong views of a sample each may have lost what
the other shows, and what both show is all that two views ask a code to keep.

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4.2: the expectation upper-bounds
H[M | Z] up to a constant, so what the code keeps is what identifies the sample up to its augmentations. The bound
stops at log2 of the number of candidates: a queue of earlier samples (He et al., "Momentum contrast", 2020) adds
candidates where the batch is small.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributed import all_gather, get_rank, get_world_size, is_available, is_initialized
from torch.nn.functional import normalize

from taskcodec.distortions.objective import Objective, Seen

Positive = Literal["view", "sample"]
START_TEMPERATURE = 0.07
FLOOR_TEMPERATURE = 0.01


class BINCE(Objective):
    """The distortion with what it learns: projection and temperature.

    Args:
        columns: k of the latent.
        hidden: width of the projection.
        outputs: dimension of the unit vectors.
        queue: earlier projections kept as further candidates; 0 for none.
        positive: what a view's code must tell from those of other samples: another "view" of its sample, or the
            "sample" without augmentation, which is coded as a view is.
    """

    past: Tensor
    past_ids: Tensor
    filled: Tensor

    def __init__(
        self, columns: int, hidden: int = 256, outputs: int = 64, queue: int = 0, positive: Positive = "view"
    ) -> None:
        super().__init__()
        self.views, self.codes_sample = (1, True) if positive == "sample" else (2, False)
        self.project = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        # The temperature is the floor plus something positive: a clamp would have no gradient once it is reached.
        self.excess = nn.Parameter(torch.tensor(math.log(START_TEMPERATURE - FLOOR_TEMPERATURE)))
        self.register_buffer("past", torch.zeros(queue, outputs))
        self.register_buffer("past_ids", torch.zeros(queue, dtype=torch.long))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @property
    def temperature(self) -> Tensor:
        """t, above its floor and learned with everything else."""
        return FLOOR_TEMPERATURE + self.excess.exp()

    def logged(self) -> dict[str, Tensor]:
        """The temperature."""
        return {"temperature": self.temperature}

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """See `forward`."""
        return self(*codes, seen.ids)  # type: ignore[no-any-return]

    def forward(self, first: Tensor, second: Tensor, ids: Tensor) -> Tensor:
        """(n, k) decoded latents of views of samples, and of what they are compared with -> (n,) bits, both directions.

        ids: (n,) int64, what the samples are told apart by: views of one sample are no candidates against each other,
        be it twice in a batch or still in the queue. Under torch.distributed the candidates are those of all processes,
        and gradients reach all of them.
        """
        with torch.autocast(first.device.type, enabled=False):
            mine = normalize(self.project(torch.cat([first, second]).float()), dim=1)
            n = len(first)
            a, b, every = _gathered(mine[:n]), _gathered(mine[n:]), _gathered_ids(ids)
            candidates, owners = torch.cat([a, b]), every.repeat(2)
            rank = get_rank() if _is_distributed() else 0
            rows = torch.arange(n, device=mine.device) + rank * n
            other = torch.cat([rows + len(a), rows])
            if len(self.past):
                filled = min(int(self.filled), len(self.past))
                candidates = torch.cat([candidates, self.past[:filled]])
                owners = torch.cat([owners, self.past_ids[:filled]])
                if self.training:
                    self._remember(b.detach(), every)
            scores = mine @ candidates.T / self.temperature
            positive = scores.gather(1, other[:, None])[:, 0]
            same = (ids.repeat(2)[:, None] == owners).scatter(1, other[:, None], False)
            scores = scores.masked_fill(same, -torch.inf)
            bits = (scores.logsumexp(dim=1) - positive) / math.log(2)
        return (bits[:n] + bits[n:]) / 2

    @torch.no_grad()
    def _remember(self, latest: Tensor, ids: Tensor) -> None:
        size = len(self.past)
        latest, ids = latest[-size:], ids[-size:]
        places = (self.filled + torch.arange(len(latest), device=latest.device)) % size
        self.past[places], self.past_ids[places] = latest, ids
        self.filled += len(latest)


def _gathered(part: Tensor) -> Tensor:
    """(n, d) of this process -> (processes * n, d) of all, in the order of their ranks, with gradients."""
    if not _is_distributed():
        return part
    from torch.distributed.nn.functional import all_gather as gather_with_gradients

    return torch.cat(list(gather_with_gradients(part)))  # type: ignore[no-untyped-call]


def _gathered_ids(ids: Tensor) -> Tensor:
    """(n,) of this process -> (processes * n,) of all, in the order of their ranks."""
    if not _is_distributed():
        return ids
    parts = [torch.empty_like(ids) for _ in range(get_world_size())]
    all_gather(parts, ids)
    return torch.cat(parts)


def _is_distributed() -> bool:
    return is_available() and is_initialized()

"""InfoNCE: which of many candidates belongs to a code, in bits, at a learned temperature.

    bits(i) = -log2  exp(s_ii / t) / sum over j of exp(s_ij / t)

van den Oord et al., "Representation learning with contrastive predictive coding", 2018. It stops at log2 of the number
of candidates: a queue of earlier ones (He et al., "Momentum contrast", 2020) adds to those of the batch.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributed import all_gather, get_rank, get_world_size, is_available, is_initialized

from taskcodec.distortions.objective import Objective

START_TEMPERATURE = 0.07
FLOOR_TEMPERATURE = 0.01


class InfoNCE(Objective):
    """What objectives share that tell candidates apart: temperature and queue.

    Args:
        width: d of a candidate.
        queue: earlier candidates kept; 0 for none.
    """

    past: Tensor
    past_ids: Tensor
    filled: Tensor

    def __init__(self, width: int, queue: int) -> None:
        super().__init__()
        # The temperature is the floor plus something positive: a clamp would have no gradient once it is reached.
        self.excess = nn.Parameter(torch.tensor(math.log(START_TEMPERATURE - FLOOR_TEMPERATURE)))
        self.register_buffer("past", torch.zeros(queue, width))
        self.register_buffer("past_ids", torch.zeros(queue, dtype=torch.long))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @property
    def temperature(self) -> Tensor:
        """t, above its floor and learned with everything else."""
        return FLOOR_TEMPERATURE + self.excess.exp()

    def logged(self) -> dict[str, Tensor]:
        """The temperature."""
        return {"temperature": self.temperature}

    def with_earlier(self, candidates: Tensor, owners: Tensor) -> tuple[Tensor, Tensor]:
        """(m, d) candidates and (m,) ids of their samples, and those of the queue after them."""
        filled = min(int(self.filled), len(self.past))
        return torch.cat([candidates, self.past[:filled]]), torch.cat([owners, self.past_ids[:filled]])

    @torch.no_grad()
    def remember(self, latest: Tensor, ids: Tensor) -> None:
        """Put (m, d) candidates of a training step in the queue, over the oldest."""
        size = len(self.past)
        if not size or not self.training:
            return
        latest, ids = latest[-size:], ids[-size:]
        places = (self.filled + torch.arange(len(latest), device=latest.device)) % size
        self.past[places], self.past_ids[places] = latest.detach(), ids
        self.filled += len(latest)


def lost_bits(scores: Tensor, own: Tensor, ids: Tensor, owners: Tensor) -> Tensor:
    """(n,) bits that codes lose of which candidate is theirs.

    Args:
        scores: (n, m), over the temperature.
        own: (n,) the candidate of each.
        ids, owners: (n,), (m,) what tells samples apart: no other candidate of one's own sample counts.
    """
    over = scores - scores.gather(1, own[:, None])
    same = (ids[:, None] == owners).scatter(1, own[:, None], False)
    return over.masked_fill(same, -torch.inf).logsumexp(dim=1) / math.log(2)


def gathered(part: Tensor) -> Tensor:
    """(n, ...) of this process -> (processes * n, ...) of all, in the order of their ranks; with gradients, if any."""
    if not _is_distributed():
        return part
    if not part.requires_grad:
        parts = [torch.empty_like(part) for _ in range(get_world_size())]
        all_gather(parts, part.contiguous())
        return torch.cat(parts)
    from torch.distributed.nn.functional import all_gather as gather_with_gradients

    return torch.cat(list(gather_with_gradients(part)))  # type: ignore[no-untyped-call]


def rank() -> int:
    """The number of this process."""
    return get_rank() if _is_distributed() else 0


def _is_distributed() -> bool:
    return is_available() and is_initialized()

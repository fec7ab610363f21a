"""Stochastic Gumbel annealing: numbers that become integers while an objective of them is lowered.

    v --floor or ceiling, by chance--> between them, near v at first and near one of them in the end --objective--> step

Yang, Bamler, Mandt, "Improving inference for neural image compression" (NeurIPS 2020), section 3.2: of v between two
integers the lower is drawn with a probability of exp(-atanh(v - floor v) / tau), the upper likewise, and both are mixed
by the Gumbel-softmax trick at the temperature tau, which falls. `ends` scales the atanh: with 2 the probability of
either at tau = 1 is its nearness (the linear choice of Perugachi-Diaz et al., "Robustly overfitting latents for
flexible neural image compression" (SGA+, NeurIPS 2024)), above it is pulled to the nearer end. Without chance (`seed`
None) v is rounded forward, and gradients pass.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taskcodec.quantization.straight_through import round_through

EDGE = 1e-5
"""Nearer to an integer than this nothing is."""


@dataclass(frozen=True)
class Schedule:
    """How long, how far and how hot.

    Attributes:
        steps: of Adam.
        rate: how far one goes, in symbols.
        chance: whether rounding is by chance, or the nearest.
        top: the first temperature, kept for the share `hold` of all steps; then it falls by exp(-`fall`) in as many
            steps as there are.
        ends: see the module.
    """

    steps: int
    rate: float
    chance: bool = True
    top: float = 0.5
    hold: float = 0.35
    fall: float = 2.0
    ends: float = 1.0

    def temperature(self, step: int) -> float:
        """At a step, from 0 on."""
        return self.top * min(1.0, math.exp(-self.fall * (step / self.steps - self.hold)))


def anneal(
    start: Sequence[Tensor],
    objective: Callable[[list[Tensor]], Tensor],
    schedule: Schedule,
    seed: int,
    after: Callable[[list[Tensor]], None] = lambda whole: None,
) -> list[Tensor]:
    """Tensors of numbers, and what is to be lowered, of such tensors near integers -> integers, as floats.

    `after` each step is told the integers that are nearest then.
    """
    points = [each.detach().clone().requires_grad_() for each in start]
    optimizer = torch.optim.Adam(points, lr=schedule.rate)
    generator = torch.Generator().manual_seed(seed)
    for step in range(schedule.steps):
        if schedule.chance:
            tau = schedule.temperature(step)
            rounded = [_mixed(v, tau, schedule.ends, generator) for v in points]
        else:
            rounded = [round_through(v) for v in points]
        optimizer.zero_grad()
        objective(rounded).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        after([torch.round(v.detach()) for v in points])
    return [torch.round(v.detach()) for v in points]


def _mixed(v: Tensor, tau: float, ends: float, generator: torch.Generator) -> Tensor:
    """v -> floor(v) + the share of the ceiling, drawn at a temperature."""
    low = torch.floor(v.detach())
    share = (v - low).clamp(EDGE, 1 - EDGE)
    # atanh(share) - atanh(1 - share): how much likelier the ceiling is.
    likelier = ends * (torch.atanh(share) - torch.atanh(1 - share))
    drawn = torch.rand(v.shape, generator=generator, dtype=v.dtype).clamp(1e-6, 1 - 1e-6)
    return low + torch.sigmoid((likelier / tau + torch.logit(drawn)) / tau)

"""Latents that become integers, and weights beside them, while an objective of both is lowered.

    y --soft rounding, noise, soft rounding: harder, with less noise each step--> near integers --objective--> step

Soft rounding and noise that shrinks are C3's (Kim et al., CVPR 2024, section 3.1; Agustsson and Theis, "Universally
quantized neural compression", NeurIPS 2020). Latents begin at zero, where annealing by chance would have no gradient.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SOFT = (0.3, 0.1)
"""Temperatures of soft rounding at the first step and at the last: rounding is harder where it is lower."""
NOISE = (0.8, 0.3)
"""Widths of the uniform noise, likewise."""
LEAST_RATE = 0.02
"""Of the rate of learning at the last step, of that at the first; it falls along a cosine."""
COARSER = 2**0.5
"""How many times farther a latent goes than the next finer one. Where all go as far, the finest takes much of what
varies slowly, and codes it as differences between neighbours."""
MOMENTS = (0.9, 0.99)
LEAST_GRADIENT = 1e-15
"""Of Adam: gradients of a latent shrink with the picture's area, and are 1e-7 at 256 x 256 pixels."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Descent:
    """How long and how far.

    Attributes:
        steps: of Adam.
        rate: how far the finest latent goes in a step, in symbols.
        weight_rate: how far a weight goes.
    """

    steps: int
    rate: float = 0.1
    weight_rate: float = 0.01


def softly_rounded(y: Tensor, temperature: float) -> Tensor:
    """y -> between y and its nearest integer; gradients are those of this function."""
    low = torch.floor(y.detach())
    return low + 0.5 + 0.5 * torch.tanh((y - low - 0.5) / temperature) / math.tanh(0.5 / temperature)


def descend(
    latents: Sequence[Tensor],
    weights: Weights,
    objective: Callable[[list[Tensor], Weights], Tensor],
    descent: Descent,
    seed: int,
    progress: Callable[[int], None] = lambda step: None,
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Latents, not rounded, and weights by which the objective of both is lower; `progress` is told each step."""
    points = [each.detach().clone().requires_grad_() for each in latents]
    moved = {name: each.detach().clone().requires_grad_() for name, each in weights.items()}
    rates = [descent.rate * COARSER**level for level in range(len(points))]
    groups = [([point], rate) for point, rate in zip(points, rates, strict=True)]
    groups.append((list(moved.values()), descent.weight_rate))
    optimizer = torch.optim.Adam(
        [{"params": own, "lr": rate} for own, rate in groups], betas=MOMENTS, eps=LEAST_GRADIENT
    )
    generator = torch.Generator().manual_seed(seed)
    for step in range(descent.steps):
        share = step / descent.steps
        for group, (_, rate) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate * (LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * share)))
        seen = [_relaxed(y, share, generator) for y in points]
        optimizer.zero_grad()
        objective(seen, moved).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress(step + 1)
    return [y.detach() for y in points], {name: each.detach() for name, each in moved.items()}


def _relaxed(y: Tensor, share: float, generator: torch.Generator) -> Tensor:
    soft, noise = (a + (b - a) * share for a, b in (SOFT, NOISE))
    drawn = torch.rand(y.shape, generator=generator, dtype=y.dtype) - 0.5
    return softly_rounded(softly_rounded(y, soft) + noise * drawn, soft)

"""Uniform noise in place of rounding, so that gradients pass (Balle et al., "End-to-end optimized image compression",
ICLR 2017, section 3): y + U(-1/2, 1/2) has at the integers the density whose values are the rounded y's probabilities.
"""

import torch
from torch import Tensor


def add_noise(y: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """y, of any shape, in units of the step -> y + U(-1/2, 1/2). Noise of a generator is drawn on its own device."""
    device = y.device if generator is None else generator.device
    noise = torch.rand(y.shape, generator=generator, device=device, dtype=y.dtype)
    return y + noise.to(y.device) - 0.5

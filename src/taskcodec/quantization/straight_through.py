"""The straight-through estimator: round in the forward pass, pass the gradient as if nothing had been done.

Bengio et al., "Estimating or propagating gradients through stochastic neurons" (2013); for latents Theis et al., "Lossy
image compression with compressive autoencoders" (ICLR 2017).
"""

import torch
from torch import Tensor


def pass_through(value: Tensor, gradient_of: Tensor) -> Tensor:
    """A tensor with this value and the other's gradient."""
    return gradient_of + (value - gradient_of).detach()


def round_through(y: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """y -> the nearest of centre + integers, with the gradient of y."""
    return pass_through(torch.round(y - centre) + centre, y)

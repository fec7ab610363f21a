"""The straight-through estimator: round in the forward pass, pass the gradient as if nothing had been done.

Bengio et al., "Estimating or propagating gradients through stochastic neurons" (2013); for latents Theis et al., "Lossy
image compression with compressive autoencoders" (ICLR 2017).
"""

from typing import Any

import torch
from torch import Tensor


def pass_through(value: Tensor, gradient_of: Tensor) -> Tensor:
    """A tensor with this value and the other's gradient."""
    return gradient_of + (value - gradient_of).detach()


def round_through(y: Tensor, centre: Tensor | float = 0.0) -> Tensor:
    """y -> the nearest of centre + integers, with the gradient of y."""
    return pass_through(torch.round(y - centre) + centre, y)


class _Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = (low, high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high), gradient = ctx.saved_tensors, ctx.bounds, gradients[0]
        passes = ((x >= low) | (gradient < 0)) & ((x <= high) | (gradient > 0))
        return gradient * passes, None, None


def clip_inward(x: Tensor, low: float, high: float) -> Tensor:
    """Clip; outside, a gradient passes only where it leads back."""
    clipped: Tensor = _Clipped.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clipped

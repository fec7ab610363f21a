"""What makes a picture of latents of several resolutions: a few multiplications a pixel, by weights that came with it.

    latents, the coarsest first --grow by 2, put the next beside--> (n, levels, h, w) --mix, out: 1 x 1--> --grow-->
    (n, outputs, H, W) --+ last: 3 x 3--> x_hat

The form is Cool-Chic's (Ladune et al., ICCV 2023), with a plain interpolation where it learns one.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from taskcodec.coding.models.overfitted.plan import Size

UNIT = 16.0
"""Symbols that a value of 1 has: so weights are about 1."""


def grown(x: Tensor, size: Size) -> Tensor:
    """(n, c, h, w) -> (n, c, *size), which is about twice as large, by straight lines between places."""
    return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)[:, :, : size[0], : size[1]]


def synthesised(latents: Sequence[Tensor], weights: Mapping[str, Tensor], size: Size) -> Tensor:
    """(n, 1, h, w) symbols of each latent, the finest first, and weights by name -> (n, outputs, *size)."""
    x = latents[-1]
    for latent in reversed(latents[:-1]):
        x = torch.cat([latent, grown(x, (latent.shape[2], latent.shape[3]))], dim=1)
    n, _, h, w = x.shape
    inner = torch.relu(weights["mix"] @ (x / UNIT).flatten(2) + weights["mix_bias"][:, None])
    y = (weights["out"] @ inner + weights["out_bias"][:, None]).view(n, -1, h, w)
    for factor in _factors(size, (h, w)):
        y = grown(y, (-(-size[0] // factor), -(-size[1] // factor)))
    channels_last = y.contiguous(memory_format=torch.channels_last)  # twice as quick
    return y + conv2d(channels_last, weights["last"], weights["last_bias"], padding=1)


def _factors(size: Size, places: Size) -> list[int]:
    """How many times larger than each step the picture is, from the finest latent on: 2 and 1 where that has a 4th."""
    found, factor = list[int](), 1
    while (-(-size[0] // factor), -(-size[1] // factor)) != places:
        found.append(factor)
        factor *= 2
    return found[::-1]

"""How a picture of any size meets a latent's whole places: its edges are repeated, and cut off again when decoded."""

import torch
import torch.nn.functional as F


def places(side: int, stride: int) -> int:
    """How many places of a latent lie along so many pixels."""
    return -(-side // stride)


def padded(x: torch.Tensor, stride: int) -> torch.Tensor:
    """(n, c, H, W) -> (n, c, h * stride, w * stride): the last row and column repeated, only as far as they must."""
    height, width = x.shape[-2:]
    below, right = places(height, stride) * stride - height, places(width, stride) * stride - width
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x

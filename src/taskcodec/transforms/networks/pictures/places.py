"""How a picture of any size meets a latent's whole places: its edges are repeated, and cut off again when decoded."""

import torch
import torch.nn.functional as F


def padded(x: torch.Tensor, stride: int) -> torch.Tensor:
    """(n, c, H, W) -> (n, c, h * stride, w * stride): the last row and column repeated, only as far as they must."""
    height, width = x.shape[-2:]
    below, right = -height % stride, -width % stride
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x

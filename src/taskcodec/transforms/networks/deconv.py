"""Synthesis by transposed convolutions: what a codec kept, as a picture.

The mirror of a small analysis network, as LCLP's CNN decoder: a linear map to a small grid, then steps that double it.
"""

import torch
from torch import nn


class Deconv(nn.Module):
    """(n, inputs) --linear--> (n, 2 width, side/4, side/4) --two doublings--> (n, channels, side, side) in [0, 1].

    Args:
        inputs: k.
        channels: of the picture.
        side: of the picture in pixels, a multiple of 4.
        width: channels before the last layer.
    """

    def __init__(self, inputs: int, channels: int, side: int, width: int = 32) -> None:
        super().__init__()
        if side % 4:
            raise ValueError(f"side must be a multiple of 4, found {side}")
        self.grid = (2 * width, side // 4, side // 4)
        self.spread = nn.Sequential(
            nn.Linear(inputs, 256), nn.ReLU(inplace=True), nn.Linear(256, 2 * width * (side // 4) ** 2)
        )
        self.grow = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.grow(self.spread(y).unflatten(1, self.grid)))

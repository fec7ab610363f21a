"""A small residual network for images of 28 to 96 pixels: analysis from scratch.

He et al., "Deep residual learning", 2016, with the 3x3 stem that CIFAR-sized images are given in place of 7x7 and
pooling (SimCLR, appendix B.9; LCLP does the same on MNIST).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """x --3x3, BN, ReLU, 3x3, BN--> + (x, or its 1x1 projection where the shape changes) --> ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.project = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if stride > 1 or inputs != outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        return F.relu(y + (x if self.project is None else self.project(x)), inplace=True)


class ResNetSmall(nn.Module):
    """(n, channels, H, W) --stem--> stages of residual blocks, each at half the side --> mean --linear--> (n, outputs).

    Args:
        channels: 1 (grey) or 3.
        outputs: k.
        widths: channels of the stages.
        blocks: residual blocks in each stage.
        stem_stride: 2 makes every layer four times cheaper.
    """

    def __init__(
        self, channels: int, outputs: int, widths: Sequence[int] = (32, 64, 128), blocks: int = 1, stem_stride: int = 1
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, widths[0], 3, stem_stride, 1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        ]
        into = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                layers.append(Block(into, width, 2 if stage > 0 and block == 0 else 1))
                into = width
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(into, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.out(self.body(x).mean((2, 3))))

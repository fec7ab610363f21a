"""What small predictors are: a pyramid of features of a picture of any size, and heads that say something of places.

    picture --strides 2, 4, 8, 16--> features of growing reach --and back, added up--> maps at strides 2, 4 and 8

Feature pyramids: Lin et al., "Feature pyramid networks for object detection", 2017, arXiv:1612.03144. Normalisation is
by groups (Wu and He 2018, arXiv:1803.08494), so that one picture does not depend on the others of its batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 96)
_GROUPS = 8


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    # Two channels a group at least: of a picture of one pixel a single one has no spread.
    norm = nn.GroupNorm(min(_GROUPS, outputs // 2), outputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm, nn.SiLU(inplace=True))


class _Stage(nn.Module):
    """Half the side, then x + two convolutions of x."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = _convolution(inputs, outputs, 2)
        self.more = nn.Sequential(_convolution(outputs, outputs), _convolution(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        return torch.as_tensor(y + self.more(y))


class Pyramid(nn.Module):
    """(n, 3, H, W) in [0, 1] -> maps of `widths[1]` channels at strides 2, 4, 8, ...; one fewer than there are widths.

    widths: channels of the stages, multiples of 8.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths, self.outputs = tuple(widths), widths[1]
        into = (3, *widths[:-1])
        self.stages = nn.ModuleList(_Stage(a, b) for a, b in zip(into, widths, strict=True))
        self.across = nn.ModuleList(nn.Conv2d(width, self.outputs, 1) for width in widths)
        self.after = nn.ModuleList(_convolution(self.outputs, self.outputs) for _ in widths[:-1])

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Finest first."""
        x, maps = 4 * (pictures - 0.5), []
        for stage, across in zip(self.stages, self.across, strict=True):
            x = stage(x)
            maps.append(across(x))
        coarse, result = maps.pop(), []
        for fine, after in zip(reversed(maps), reversed(self.after), strict=True):
            coarse = after(fine + F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=False))
            result.append(coarse)
        return result[::-1]


class SmallSegmenter(nn.Module):
    """(n, 3, H, W) in [0, 1] -> (n, classes, H / 2, W / 2) scores."""

    def __init__(self, classes: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.classes, self.pyramid = classes, Pyramid(widths)
        self.head = nn.Conv2d(self.pyramid.outputs, classes, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.pyramid(pictures)[0]))


class SmallDetector(nn.Module):
    """(n, 3, H, W) in [0, 1] -> (n, positions, 5 + classes): what YOLOX's network gives, at strides 4 and 8."""

    def __init__(self, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.classes, self.pyramid = classes, Pyramid(widths)
        heads = [nn.Conv2d(self.pyramid.outputs, 5 + classes, 3, padding=1) for _ in range(2)]
        with torch.no_grad():
            for head in heads:  # objects are rare: start from where most positions are right
                head.get_parameter("bias")[4:] -= math.log(99)
        self.heads = nn.ModuleList(heads)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """(n, 5 + classes, H / stride, W / stride) at each stride."""
        raw = [head(each) for head, each in zip(self.heads, self.pyramid(pictures)[1:3], strict=True)]
        return [torch.cat([each[:, :4], each[:, 4:].sigmoid()], dim=1) for each in raw]

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.cat([each.flatten(2) for each in self.maps(pictures)], dim=2).transpose(1, 2)

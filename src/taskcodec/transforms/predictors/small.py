"""Small predictors to train from scratch, on pictures of any size: a pyramid of features, and heads on it.

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

from taskcodec.transforms.predictors.yolox import Yolox

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
        self.outputs = widths[1]
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
        self.pyramid = Pyramid(widths)
        self.head = nn.Conv2d(self.pyramid.outputs, classes, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.pyramid(pictures)[0]))


class SmallDepth(nn.Module):
    """(n, 3, H, W) in [0, 1] -> (n, H / 2, W / 2) metres. typical: depth that it starts from, in metres."""

    def __init__(self, typical: float = 4.0, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.body = SmallSegmenter(1, widths)
        with torch.no_grad():
            self.body.head.get_parameter("bias").add_(math.log(typical))

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.body(pictures)[:, 0].exp())


class SmallClassifier(nn.Module):
    """(n, 3, H, W) in [0, 1] -> (n, classes) scores, from the mean and the largest of each map."""

    def __init__(self, classes: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.pyramid = Pyramid(widths)
        self.head = nn.Linear(2 * self.pyramid.outputs * (len(widths) - 1), classes)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.pyramid(pictures)
        pooled = [part for each in maps for part in (each.mean((2, 3)), each.amax((2, 3)))]
        return torch.as_tensor(self.head(torch.cat(pooled, dim=1)))


class _Positions(nn.Module):
    """What YOLOX's network gives, at strides 4 and 8."""

    def __init__(self, classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.pyramid = Pyramid(widths)
        heads = [nn.Conv2d(self.pyramid.outputs, 5 + classes, 3, padding=1) for _ in range(2)]
        with torch.no_grad():
            for head in heads:  # objects are rare: start from where most positions are right
                head.get_parameter("bias")[4:] -= math.log(99)
        self.heads = nn.ModuleList(heads)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.pyramid(pictures)[1:3]
        raw = torch.cat([head(each).flatten(2) for head, each in zip(self.heads, maps, strict=True)], dim=2)
        return torch.cat([raw[:, :4], raw[:, 4:].sigmoid()], dim=1).transpose(1, 2)


def small_detector(classes: int, widths: Sequence[int] = WIDTHS) -> Yolox:
    """A detector for objects of some 4 to 100 pixels, on pictures as they are."""
    return Yolox(_Positions(classes, widths), strides=(4, 8), side=None)

"""Small predictors to train from scratch, on pictures of any size: `taskcodec.transforms.networks.pictures.pyramid`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from taskcodec.transforms.networks.pictures.pyramid import WIDTHS, Pyramid, SmallDetector, SmallSegmenter
from taskcodec.transforms.predictors.yolox import Yolox


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


def small_detector(classes: int, widths: Sequence[int] = WIDTHS) -> Yolox:
    """A detector for objects of some 4 to 100 pixels, on pictures as they are."""
    return Yolox(SmallDetector(classes, widths), strides=(4, 8), side=None)

"""ResNet18 and ResNet50 (He et al., 2016) as analysis from scratch, their layers torchvision's.

torchvision is imported only when one of them is made.
"""

from typing import Any

import torch
from torch import nn

from taskcodec.transforms.torchvision import import_torchvision

DEEPEST = 96
"""Images up to this side get a 3x3 stem without pooling, as in SimCLR, appendix B.9."""


class ResNet(nn.Module):
    """(n, channels, H, W) -> (n, outputs).

    Args:
        depth: 18 or 50.
        channels: 1 (grey) or 3.
        outputs: k.
        side: of the images in pixels: decides the stem.
    """

    def __init__(self, depth: int, channels: int, outputs: int, side: int) -> None:
        super().__init__()
        import_torchvision()
        from torchvision import models

        body: Any = {18: models.resnet18, 50: models.resnet50}[depth](weights=None, num_classes=outputs)
        if side <= DEEPEST:
            body.conv1 = nn.Conv2d(channels, 64, 3, 1, 1, bias=False)
            body.maxpool = nn.Identity()
        elif channels != 3:
            body.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.body(x))

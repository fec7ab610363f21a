"""YOLOX and what has its output: boxes by position, with gradients (Ge et al. 2021, arXiv:2107.08430).

pictures --letterbox--> (n, 3, side, side) --network--> (n, positions, 5 + classes) --decoded--> boxes, scores
                                                                                    \\--SimOTA--> loss
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taskcodec.errors import SourceError
from taskcodec.transforms.predictors.onnx_network import OnnxNetwork
from taskcodec.transforms.predictors.simota import Positions, simota_loss

STRIDES = (8, 16, 32)
PAD = 114 / 255
"""The grey that YOLOX pads pictures with."""
LEAST_SCORE = 0.01
"""Boxes below this score are dropped: YOLOX's own setting for measuring AP."""
_COCO_CLASSES = 80


class Detections(NamedTuple):
    """Of one picture: (m, 4) corners in its pixels, (m,) int64 labels, (m,) scores; overlapping boxes too."""

    corners: Tensor
    labels: Tensor
    scores: Tensor


class Yolox(nn.Module):
    """A detector of YOLOX's form.

    Args:
        network: (n, 3, h, w) RGB in [0, 1] -> (n, positions, 5 + classes): offset of the middle from the position and
            log of the extent, in strides; then probabilities that there is an object, and of each class.
        strides: pixels between positions, a grid each.
        side: pictures are brought into a square of this side; None: they stay, padded to whole strides.
    """

    def __init__(self, network: nn.Module, strides: Sequence[int] = STRIDES, side: int | None = 416) -> None:
        super().__init__()
        self.network, self.strides, self.side = network, tuple(strides), side

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, H, W) in [0, 1] -> (n, positions, 5 + classes)."""
        return torch.as_tensor(self.network(letterbox(pictures, self.side, self.strides[-1])[0]))

    def loss(self, pictures: Tensor, corners: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """(n,) YOLOX's loss, each picture's divided by its matched positions.

        corners: of each picture (m, 4), in its pixels.
        """
        seen, scale = letterbox(pictures, self.side, self.strides[-1])
        positions = decoded(torch.as_tensor(self.network(seen)).float(), (seen.shape[2], seen.shape[3]), self.strides)
        each = (
            simota_loss(positions.of(place), boxes * scale, of_class)
            for place, (boxes, of_class) in enumerate(zip(corners, labels, strict=True))
        )
        return torch.stack(list(each))

    def found(self, pictures: Tensor) -> list[Detections]:
        """The boxes in each picture whose score is above LEAST_SCORE."""
        seen, scale = letterbox(pictures, self.side, self.strides[-1])
        positions = decoded(torch.as_tensor(self.network(seen)).float(), (seen.shape[2], seen.shape[3]), self.strides)
        return [detections(positions.of(place), scale) for place in range(len(pictures))]


class _AsExported(nn.Module):
    """RGB in [0, 1] -> BGR in 0..255, which YOLOX's authors export it for."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.network(255 * pictures.flip(1)))


def load_yolox(file: str | Path, side: int = 416) -> Yolox:
    """YOLOX of an .onnx file as its authors export it, rebuilt in torch; 80 classes of COCO.

    Raises:
        SourceError: no such file, damaged, or another network.
        UsageError: onnx is not installed.
    """
    network = OnnxNetwork(file)
    with torch.no_grad():
        try:
            shape = tuple(network(torch.zeros(1, 3, 64, 64)).shape)
        except (RuntimeError, LookupError, TypeError) as error:
            raise SourceError(f"{file}: not YOLOX ({type(error).__name__} on a picture of 64 x 64)") from error
    expected = 1, sum((64 // stride) ** 2 for stride in STRIDES), 5 + _COCO_CLASSES
    if shape != expected:
        raise SourceError(f"{file}: gives {shape} for a picture of 64 x 64; YOLOX gives {expected}")
    return Yolox(_AsExported(network), side=side).requires_grad_(False).eval()


def letterbox(pictures: Tensor, side: int | None, multiple: int = 1) -> tuple[Tensor, float]:
    """(n, 3, H, W) at the upper left of a grey square, as large as fits; and the factor that it was scaled by.

    Without a side pictures stay as they are, and the grey reaches to multiples of `multiple`.
    """
    height, width = pictures.shape[2:]
    scale, rows, columns = 1.0, -(-height // multiple) * multiple, -(-width // multiple) * multiple
    if side is not None:
        scale, rows, columns = min(side / width, side / height), side, side
        height, width = max(1, int(height * scale)), max(1, int(width * scale))
        pictures = F.interpolate(pictures, (height, width), mode="bilinear", align_corners=False, antialias=True)
    return F.pad(pictures, (0, columns - width, 0, rows - height), value=PAD), scale


def decoded(raw: Tensor, size: tuple[int, int], strides: Sequence[int] = STRIDES) -> Positions:
    """What a network says of each position, in pixels of the (height, width) that it saw."""
    places, step = (part.to(raw.device) for part in _grid(size, tuple(strides)))
    middle = (raw[..., :2] + places) * step
    half = torch.exp(raw[..., 2:4]) * step / 2
    corners = torch.cat([middle - half, middle + half], dim=-1)
    centres = (places + 0.5) * step
    return Positions(centres, step[:, 0], corners, raw[..., 4], raw[..., 5:])


def detections(positions: Positions, scale: float) -> Detections:
    """The boxes of one picture that was scaled by `scale`; a position may give several, of different classes."""
    scores = positions.objects[:, None] * positions.classes
    which, label = torch.nonzero(scores > LEAST_SCORE, as_tuple=True)
    return Detections(positions.corners[which] / scale, label, scores[which, label])


@lru_cache(maxsize=8)
def _grid(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """(positions, 2) column and row, and (positions, 1) stride, grid after grid."""
    places, steps = [], []
    for stride in strides:
        rows, columns = (torch.arange(side // stride) for side in size)
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        places.append(torch.stack([column, row], dim=-1).reshape(-1, 2))
        steps.append(torch.full((len(places[-1]), 1), stride))
    return torch.cat(places).float(), torch.cat(steps).float()

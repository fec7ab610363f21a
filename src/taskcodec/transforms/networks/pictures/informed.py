"""What a frozen predictor says of a picture, for an analysis to see: it need not learn the task to know what matters.

    x (n, 3, H, W) --predictor--> probabilities of classes, log depth or boxes, every 2 or 4 pixels
                   --5x5 /2, ReLU, ..., 5x5 /2--> (n, latent, h, w), which is added to what the analysis makes of x

The predictor's weights travel with the analysis, so whoever has the codec can encode; who decodes needs neither.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taskcodec.transforms.networks.pictures.blocks import halve
from taskcodec.transforms.networks.pictures.pyramid import SmallDetector, SmallSegmenter

LEAST_WIDTHS = 4
"""Of a small predictor's pyramid."""


class Answers(nn.Module):
    """(n, 3, H, W) in [0, 1], sides multiples of 8 -> (n, channels, H / every, W / every), without gradients.

    Args:
        reads: widths of the predictor's pyramid.
        classes: of pixels, or of boxes where it finds any; 1 of pixels: log depth.
        boxes: whether it is a detector.
    """

    def __init__(self, reads: Sequence[int], classes: int, boxes: bool) -> None:
        super().__init__()
        if len(reads) < LEAST_WIDTHS or any(width % 8 for width in reads):
            raise ValueError(f"reads: at least {LEAST_WIDTHS} widths of 8, 16, ... channels")
        self.classes = classes
        self.predictor = SmallDetector(classes, reads) if boxes else SmallSegmenter(classes, reads)
        self.requires_grad_(False)
        self.every = 4 if boxes else 2
        self.channels = 2 * (5 + classes) if boxes else classes

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.predictor, SmallDetector):
            fine, coarse = self.predictor.maps(x)
            return torch.cat([fine, F.interpolate(coarse, fine.shape[2:])], dim=1)
        scores = self.predictor(x)
        return torch.as_tensor(scores if self.classes == 1 else scores.softmax(dim=1))


class AnswerBranch(nn.Module):
    """(n, 3, H, W) in [0, 1] -> (n, latent, H / stride, W / stride).

    Args:
        answers: what is seen of the picture.
        widths, latent: channels after each step of the analysis that it is added to; it has as many from where the
            answers are as coarse.
    """

    def __init__(self, answers: Answers, widths: Sequence[int], latent: int) -> None:
        super().__init__()
        self.answers = answers
        skipped = answers.every.bit_length() - 2
        if len(widths) <= skipped:
            raise ValueError(f"widths: at least {skipped + 1}, where answers are given every {answers.every} pixels")
        inner = list(widths[skipped + 1 :])
        layers: list[nn.Module] = []
        for before, after in zip([answers.channels, *inner], [*inner, latent], strict=True):
            layers += [halve(before, after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.layers(self.answers(x)))

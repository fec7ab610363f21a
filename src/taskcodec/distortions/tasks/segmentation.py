"""The class of each pixel."""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate

from taskcodec.distortions.tasks.task import Task, Truth
from taskcodec.samples import VOID


class Segmentation(Task):
    """predictor: (n, 3, H, W) -> (n, classes, h, w) scores. Loss: bits of log loss, averaged over pixels not void."""

    name, metric = "segmentation", "miou"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) bits a pixel; 0 for a picture of void alone."""
        labels = truth.of("labels")
        nats = cross_entropy(self._scores(pictures), labels, reduction="none", ignore_index=VOID)
        known = (labels != VOID).flatten(1).sum(dim=1)
        bits: Tensor = nats.flatten(1).sum(dim=1) / known.clamp(min=1) / math.log(2)
        return bits

    def predict(self, pictures: Tensor) -> Tensor:
        """(n, H, W) int64 classes."""
        return self._scores(pictures).argmax(dim=1)

    def _scores(self, pictures: Tensor) -> Tensor:
        """(n, classes, H, W) at the pictures' size."""
        scores = torch.as_tensor(self.predictor(pictures))
        if scores.shape[2:] == pictures.shape[2:]:
            return scores
        return interpolate(scores, pictures.shape[2:], mode="bilinear", align_corners=False)

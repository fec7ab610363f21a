"""Detection whose truth is what the detector says of the picture as it was: any photograph will do, without boxes."""

import torch

from taskcodec.distortions.tasks import Detection
from taskcodec.transforms.predictors.simota import IOU_WEIGHT, iou
from taskcodec.transforms.predictors.yolox import decoded, letterbox


class DistilledDetection(Detection):
    """Every position is to say what it said: YOLOX's loss with soft truth, over the objects that it saw, at least 1."""

    def loss(self, pictures, truth):
        """(n,)"""
        with torch.no_grad():
            wanted = self._positions(truth.pictures)
        found = self._positions(pictures)
        objects = divergence(found.objects, wanted.objects)
        boxes = IOU_WEIGHT * (1 - iou(found.corners, wanted.corners).square())
        classes = divergence(found.classes, wanted.classes).sum(dim=-1)
        total = (objects + wanted.objects * (boxes + classes)).sum(dim=1)
        return total / wanted.objects.sum(dim=1).clamp(min=1)

    def _positions(self, pictures):
        detector = self.predictor
        seen, _ = letterbox(pictures, detector.side, detector.strides[-1])
        return decoded(detector.network(seen).float(), tuple(seen.shape[2:]), detector.strides)


def divergence(found, wanted):
    """Nats that one probability is from another, element by element; 0 where they are equal."""
    p, q = (each.clamp(1e-6, 1 - 1e-6) for each in (found, wanted))
    return q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()

"""What measures a task's predictions: of each picture what its metric needs, then the metric over pictures.

| metric | of each picture | over pictures |
|---|---|---|
| map | boxes, overlapping ones dropped | COCO's average precision (`detection.py`) |
| miou | pixels by true and predicted class | mean intersection over union (`segmentation.py`) |
| depth_accuracy | 1 - mean relative error of depth | mean |
| accuracy | whether the class is right | mean |
| psnr | decibels of 255, at most 58.9: what rounding to whole levels leaves | mean |
| ms_ssim | structural similarity | mean |

In all of them more is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from taskcodec.data.dense.batches import truth_of
from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.picture import DensePicture, DensePictures
from taskcodec.distortions.tasks.reconstruction import ms_ssim
from taskcodec.evaluation.dense.depth import depth_errors
from taskcodec.evaluation.dense.detection import DetectionScores
from taskcodec.evaluation.dense.frozen import clip, suppress
from taskcodec.evaluation.dense.run import DenseScores
from taskcodec.evaluation.dense.segmentation import SegmentationScores, confusion

Floats = npt.NDArray[np.float64]
Found = npt.NDArray[Any]
_ROUNDING = 1 / 12 / 255**2
"""Mean squared error that rounding to 256 levels leaves, of pictures in [0, 1]; none is held to less."""


@dataclass(frozen=True, eq=False)
class MeanScores:
    """The mean of a figure. each: (n,) of the pictures; NaN where one has none."""

    each: Floats

    @property
    def value(self) -> float:
        """Over all pictures that have one."""
        return float(self.values(np.ones((1, len(self.each))))[0])

    def values(self, weights: npt.NDArray[Any]) -> Floats:
        """(b,) for each row of weights (b, n), how often each picture was drawn."""
        has = np.isfinite(self.each)
        total = weights[:, has] @ self.each[has]
        result: Floats = total / np.maximum(weights[:, has].sum(axis=1), 1)
        return result


@dataclass(frozen=True)
class Measure:
    """One metric. found: prediction, picture, number of classes -> array; scores: of all arrays, and the pictures."""

    found: Callable[[Any, DensePicture, int], Found]
    scores: Callable[[Sequence[Found], DensePictures], DenseScores]


def _boxes(predicted: Any, picture: DensePicture, classes: int) -> Found:
    corners, labels, scores = (part.cpu().numpy() for part in predicted[0])
    boxes = suppress(clip(Boxes.of(corners, labels, scores), picture.size))
    return np.concatenate([boxes.corners, boxes.labels[:, None], boxes.scores[:, None]], axis=1).astype(np.float32)


def _average_precision(found: Sequence[Found], pictures: DensePictures) -> DenseScores:
    truth = (pictures[place].boxes for place in range(len(pictures)))
    boxes = tuple(Boxes.of(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in found)
    return DetectionScores(boxes, tuple(each for each in truth if each is not None))


def _counts(predicted: Tensor, picture: DensePicture, classes: int) -> Found:
    assert picture.labels is not None
    return confusion(predicted[0].cpu().numpy(), picture.labels, classes)


def _depth(predicted: Tensor, picture: DensePicture, classes: int) -> Found:
    assert picture.depth is not None
    errors = depth_errors(predicted[0].cpu().numpy(), picture.depth)
    return np.array([math.nan if errors is None else 1 - errors.abs_rel])


def _right(predicted: Tensor, picture: DensePicture, classes: int) -> Found:
    return np.array([float(int(predicted[0]) == picture.whole)])


def _psnr(predicted: Tensor, picture: DensePicture, classes: int) -> Found:
    error = float((predicted - truth_of([picture]).pictures).double().square().mean())
    return np.array([-10 * math.log10(max(error, _ROUNDING))])


def _similarity(predicted: Tensor, picture: DensePicture, classes: int) -> Found:
    return np.array([float(ms_ssim(predicted, truth_of([picture]).pictures)[0])])


def _mean(found: Sequence[Found], pictures: DensePictures) -> DenseScores:
    return MeanScores(np.concatenate(list(found)).astype(np.float64))


MEASURES: dict[str, Measure] = {
    "map": Measure(_boxes, _average_precision),
    "miou": Measure(_counts, lambda found, pictures: SegmentationScores(np.stack(list(found)).astype(np.int64))),
    "depth_accuracy": Measure(_depth, _mean),
    "accuracy": Measure(_right, _mean),
    "psnr": Measure(_psnr, _mean),
    "ms_ssim": Measure(_similarity, _mean),
}
"""By the names that tasks have for them."""
_NEEDS = {"map": "boxes", "miou": "labels", "depth_accuracy": "depth", "accuracy": "whole"}


def needed(metric: str) -> str | None:
    """What a picture must have for this metric, beside its pixels."""
    return _NEEDS.get(metric)

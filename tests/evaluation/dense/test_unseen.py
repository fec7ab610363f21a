"""Detectors and segmenters of images as predictors of tasks."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from taskcodec.data.dense.boxes import Boxes
from taskcodec.distortions.tasks import Detection, Segmentation, Truth
from taskcodec.errors import UsageError
from taskcodec.evaluation.dense.unseen import UnseenDetector, UnseenSegmenter

PICTURES = torch.zeros(2, 3, 4, 6)
PICTURES[1, 0, :, 3:] = 1.2  # red beyond what is white


@dataclass(frozen=True)
class Red:
    """Finds what is red: a box of it, or class 2 where it is and 0 elsewhere, at half the size."""

    name: str = "red"
    classes: tuple[str, ...] = ("red",)
    boxes: bool = True

    def __call__(self, image):
        red = np.asarray(image)[..., 0] > 254
        if not self.boxes:
            return np.where(red[::2, ::2], 2, 0).astype(np.int64)
        y, x = np.nonzero(red)
        corners = [[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else []
        return Boxes.of(corners, [0] * len(corners), [0.5] * len(corners))


def test_a_detector_finds_boxes_and_cannot_be_trained_by():
    task = Detection(UnseenDetector(Red()))
    nothing, found = task.predict(PICTURES)
    assert len(nothing.scores) == 0
    assert found.corners.tolist() == [[3, 0, 6, 4]]
    assert (found.labels.tolist(), found.scores.tolist()) == ([0], [0.5])
    truth = Truth(PICTURES, corners=[found.corners] * 2, box_labels=[found.labels] * 2)
    with pytest.raises(UsageError, match="red: gives no gradient"):
        task.loss(PICTURES, truth)


def test_a_segmenter_s_classes_are_those_they_stand_for():
    task = Segmentation(UnseenSegmenter(Red(boxes=False), (1, 1, 0), 2))
    assert task.predict(PICTURES)[0].tolist() == [[1] * 6] * 4
    assert task.predict(PICTURES)[1].tolist() == [[1, 1, 1, 1, 0, 0]] * 4  # every second pixel decides
    same = Segmentation(UnseenSegmenter(Red(boxes=False), None, 3))
    assert same.predict(PICTURES)[1].tolist() == [[0, 0, 0, 0, 2, 2]] * 4


def test_a_class_that_is_not_mapped():
    with pytest.raises(UsageError, match="red: gives class 2, 2 classes are mapped"):
        Segmentation(UnseenSegmenter(Red(boxes=False), (0, 1), 2)).predict(PICTURES)

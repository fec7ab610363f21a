"""Detection as a dense task: COCO's average precision of a frozen detector on decoded images.

The value is torchmetrics' MeanAveragePrecision with pycocotools behind it: the mean over classes and over IoU from 0.5
to 0.95 of the precision interpolated at 101 recalls, at most 100 boxes a class and image (Lin et al. 2014,
arXiv:1405.0312; cocodataset.org, "Detection evaluation"). Its interval draws images; for that the same figure is
computed with a weight for each image, without matching boxes anew.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.data.dense.box_table import read_box_table
from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.coco import read_coco
from taskcodec.data.dense.views import places
from taskcodec.errors import SourceError, UsageError, unreadable
from taskcodec.evaluation.dense.frozen import Detector, overlaps, prepare_torchmetrics

Floats = npt.NDArray[np.float64]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_BOXES = 100


@dataclass(frozen=True, eq=False)
class DetectionTask:
    """Boxes to find in images, and the detector that looks for them.

    Attributes:
        set: name of the data set.
        detector: what sees the decoded images.
        files: (n) the images.
        sizes: (n) width and height of each, in the pixels of the truth.
        truth: (n) its boxes; labels are the detector's.
    """

    set: str
    detector: Detector
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    truth: tuple[Boxes, ...]
    metric: str = "map"
    task: str = "detection"

    def __post_init__(self) -> None:
        if not len(self.files) == len(self.sizes) == len(self.truth) > 0:
            raise UsageError(f"{self.set}: {len(self.files)} images, {len(self.sizes)} sizes, {len(self.truth)} truths")
        if not any(len(boxes) for boxes in self.truth):
            raise UsageError(f"{self.set}: no box of a class that {self.detector.name} knows")

    @property
    def predictor(self) -> str:
        """The detector's name."""
        return self.detector.name

    def examine(self, index: int, image: Image.Image) -> npt.NDArray[np.float32]:
        """What the detector finds in a decoded image of any size: (m, 6) corners in true pixels, label, score."""
        width, height = self.sizes[index]
        if (width - height) * (image.width - image.height) < 0:
            raise SourceError(f"{self.files[index]}: {image.width}x{image.height}, its boxes are for {width}x{height}")
        found = self.detector(image)
        scale = np.array([width / image.width, height / image.height] * 2, np.float32)
        columns = found.corners * scale, found.labels[:, None], found.scores[:, None]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def score(self, found: Sequence[npt.NDArray[Any]]) -> DetectionScores:
        """The scores of what `examine` gave for all the images."""
        boxes = tuple(Boxes.of(rows[:, :4], rows[:, 4], rows[:, 5]) for rows in found)
        if len(boxes) != len(self.truth):
            raise UsageError(f"{self.set}: found boxes for {len(boxes)} of {len(self.truth)} images")
        return DetectionScores(boxes, self.truth)


@dataclass(frozen=True, eq=False)
class _Ranked:
    """All boxes of one class, by falling score.

    images: (m,) where each is.
    right, wrong: (10, m) by IoU threshold; neither where a box fell on a crowd.
    positives: (n,) how many true boxes each image has.
    """

    images: npt.NDArray[np.intp]
    right: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]
    positives: Floats


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """Average precision of found boxes (n images) against true ones."""

    found: tuple[Boxes, ...]
    truth: tuple[Boxes, ...]

    @cached_property
    def value(self) -> float:
        """Over all images, by torchmetrics. Raises UsageError where that is not installed."""
        import torch

        metric = _mean_average_precision()
        as_tensors = [
            [
                {
                    "boxes": torch.from_numpy(boxes.corners),
                    "labels": torch.from_numpy(boxes.labels),
                    "scores": torch.from_numpy(boxes.scores),
                    "iscrowd": torch.from_numpy(boxes.crowd.astype(np.int64)),
                }
                for boxes in side
            ]
            for side in (self.found, self.truth)
        ]
        metric.update(*as_tensors)
        return float(metric.compute()["map"])

    def values(self, weights: npt.NDArray[Any]) -> Floats:
        """(b,) for each row of weights (b, n), how often each image was drawn.

        A class without true boxes in the images drawn is left out.
        """
        total, classes = np.zeros(len(weights)), np.zeros(len(weights))
        for ranked in self._classes:
            positives = weights @ ranked.positives
            drawn = weights[:, ranked.images].astype(np.float64)
            for right, wrong in zip(ranked.right, ranked.wrong, strict=True):
                total += _average_precision(drawn, right, wrong, positives) / len(IOU_THRESHOLDS)
            classes += positives > 0
        result: Floats = total / np.maximum(classes, 1)
        return result

    @cached_property
    def _classes(self) -> list[_Ranked]:
        labels = np.unique(np.concatenate([boxes.labels[~boxes.crowd] for boxes in self.truth]))
        return [self._rank(int(label)) for label in labels]

    def _rank(self, label: int) -> _Ranked:
        images, scores, right, crowd = [], [], [], []
        positives = np.zeros(len(self.truth))
        for index, (found, truth) in enumerate(zip(self.found, self.truth, strict=True)):
            rows, true = np.flatnonzero(found.labels == label), truth.labels == label
            rows = rows[np.argsort(-found.scores[rows], kind="stable")][:MOST_BOXES]
            positives[index] = np.sum(true & ~truth.crowd)
            matched, on_crowd = match(found.corners[rows], truth.corners[true], truth.crowd[true])
            images.append(np.full(len(rows), index))
            scores.append(found.scores[rows])
            right.append(matched)
            crowd.append(on_crowd)
        order = np.argsort(-np.concatenate(scores), kind="stable")
        hit, ignored = (np.concatenate(parts, axis=1)[:, order] for parts in (right, crowd))
        return _Ranked(np.concatenate(images)[order], hit, ~hit & ~ignored, positives)


def match(
    found: npt.NDArray[Any], truth: npt.NDArray[Any], crowd: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """COCO's greedy matching in one image and class, at each of IOU_THRESHOLDS.

    Args:
        found: (m, 4) corners by falling score.
        truth: (k, 4) corners.
        crowd: (k,) true boxes that may be matched often, and count neither way.

    Returns:
        (10, m) whether a box matches a true one that was free, and (10, m) whether it fell on a crowd instead.
    """
    right = np.zeros((len(IOU_THRESHOLDS), len(found)), bool)
    ignored = np.zeros_like(right)
    if not len(found) or not len(truth):
        return right, ignored
    shared = overlaps(found, truth, crowd)
    for level, threshold in enumerate(IOU_THRESHOLDS):
        free = ~crowd
        for row in range(len(found)):
            close = shared[row] >= threshold
            if (close & free).any():
                best = np.flatnonzero(close & free)
                # The last of equals, as COCO's code does.
                free[best[::-1][shared[row, best[::-1]].argmax()]] = False
                right[level, row] = True
            elif (close & crowd).any():
                ignored[level, row] = True
    return right, ignored


def _average_precision(
    drawn: Floats, right: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_], positives: Floats
) -> Floats:
    """(b,) precision at RECALLS, averaged. drawn: (b, m) how often each box was drawn; positives: (b,) true boxes."""
    hits = np.flatnonzero(right)
    if not len(hits):
        return np.zeros(len(drawn))
    true = np.cumsum(drawn[:, hits], axis=1)
    false = np.cumsum(drawn * wrong, axis=1)[:, hits]
    precision = true / np.maximum(true + false, 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.searchsorted(RECALLS, true / np.maximum(positives, 1)[:, None], "right")
    steps = np.diff(reached, axis=1, prepend=0)
    result: Floats = np.sum(steps * precision, axis=1) / len(RECALLS) * (positives > 0)
    return result


def _mean_average_precision() -> Any:
    prepare_torchmetrics("pycocotools")
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(
        backend="pycocotools", iou_thresholds=IOU_THRESHOLDS.tolist(), rec_thresholds=RECALLS.tolist()
    )
    metric.warn_on_many_detections = False
    return metric


def coco256_task(
    folder: str | Path, detector: Detector, split: str = "val2017", limit: int | None = None
) -> DetectionTask:
    """Images and boxes of a folder FOLDER/SPLIT/images/*.jpg with boxes_yolo.csv and index.csv beside.

    Args:
        folder: boxes_yolo.csv has name, split, class, xc, yc, w, h (shares of the sides); index.csv name, split, w, h.
        limit: the first images only.

    Raises:
        SourceError: a file is missing or not as described.
        UsageError: the detector has other classes than COCO's 80.
    """
    root = Path(folder)
    if len(detector.classes) != 80:
        raise UsageError(f"{root}: its labels are COCO's 80 classes, {detector.name} has {len(detector.classes)}")
    try:
        listed = [row for row in _table(root / "index.csv") if row["split"] == split][:limit]
        sizes = {row["name"]: (int(row["w"]), int(row["h"])) for row in listed}
    except (KeyError, ValueError) as error:
        raise SourceError(f"{root}: index.csv is not as described ({error!r})") from error
    if not sizes:
        raise SourceError(f"{root}: index.csv lists no image of {split}")
    table = read_box_table(root / "boxes_yolo.csv")
    truth = tuple(table.boxes(name, size) for name, size in sizes.items())
    files = tuple(root / split / "images" / f"{name}.jpg" for name in sizes)
    return DetectionTask(f"{root.name} {split}", detector, files, tuple(sizes.values()), truth)


def coco_task(
    folder: str | Path, detector: Detector, annotations: str | Path | None = None, limit: int | None = None
) -> DetectionTask:
    """A folder in COCO's format: images, and one JSON file with "images", "annotations" and "categories".

    Args:
        folder: images lie in it or in images/, data/, train2017/, val2017/, or beside the annotations.
        annotations: the JSON file; by default the only one in FOLDER or FOLDER/annotations.
        limit: the first images only.

    Categories are matched to the detector's classes by name; boxes of others are left out.

    Raises:
        SourceError: no or several annotation files, not COCO's format, or an image is missing.
        UsageError: none of the categories is one of the detector's.
    """
    read = read_coco(folder, annotations, limit)
    label_of = places(read.box_classes, detector.classes)
    truth = []
    for boxes in map(read.boxes, range(len(read))):
        labels = label_of[boxes.labels]
        some = labels >= 0
        truth.append(Boxes.of(boxes.corners[some], labels[some], None, boxes.crowd[some]))
    return DetectionTask(read.name, detector, read.files, read.sizes, tuple(truth))


def _table(file: Path) -> list[dict[str, str]]:
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except (OSError, ValueError) as error:
        raise unreadable(file, error) from error

"""Segmentation as a dense task: mean intersection over union of a frozen segmenter on decoded images.

Intersection over union of a class is taken over the pixels of all images together, as the benchmarks of the field do
(Everingham et al. 2015, section 3.1.2); pixels that the truth leaves void do not count. torchmetrics counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.dense.frozen import Segmenter, prepare_torchmetrics
from taskcodec.samples import spread_rows

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

CAMVID_CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
"""SegNet's 11 classes of CamVid (Badrinarayanan et al. 2017, arXiv:1511.00561); 11 is void."""
CITYSCAPES_TO_CAMVID = (3, 4, 1, 1, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 8, 10, 10)
"""For each of Cityscapes' 19 trainIds (road, sidewalk, building, wall, fence ...) the class of CamVid that has it."""


@dataclass(frozen=True, eq=False)
class SegmentationTask:
    """Pixels to name, and the segmenter that names them.

    Attributes:
        set: name of the data set.
        segmenter: what sees the decoded images.
        files: (n) the images.
        labels: (n) PNG files of their classes, one byte a pixel; a class >= len(classes) is void.
        classes: names of the classes.
        mapping: for each id that the segmenter gives, the class it stands for.
    """

    set: str
    segmenter: Segmenter
    files: tuple[Path, ...]
    labels: tuple[Path, ...]
    classes: tuple[str, ...]
    mapping: tuple[int, ...]
    metric: str = "miou"
    task: str = "segmentation"

    def __post_init__(self) -> None:
        if not len(self.files) == len(self.labels) > 0:
            raise UsageError(f"{self.set}: {len(self.files)} images and {len(self.labels)} files of labels")

    @property
    def predictor(self) -> str:
        """The segmenter's name."""
        return self.segmenter.name

    def examine(self, index: int, image: Image.Image) -> Labels:
        """How often each class (row) was named as each class (column) in a decoded image of any size, (c, c)."""
        truth, found = self._truth(index), self.segmenter(image)
        if found.size and found.max() >= len(self.mapping):
            raise UsageError(
                f"{self.predictor}: gives class {found.max()}, {self.set} maps {len(self.mapping)} classes"
            )
        named = np.asarray(self.mapping, np.uint8)[found]
        height, width = truth.shape
        named = np.asarray(Image.fromarray(named).resize((width, height), Image.Resampling.NEAREST))
        return confusion(named, truth, len(self.classes))

    def score(self, found: Sequence[npt.NDArray[Any]]) -> SegmentationScores:
        """The scores of what `examine` gave for all the images."""
        if len(found) != len(self.files):
            raise UsageError(f"{self.set}: counts of {len(found)} of {len(self.files)} images")
        return SegmentationScores(np.stack(list(found)).astype(np.int64))

    def _truth(self, index: int) -> npt.NDArray[np.uint8]:
        try:
            with Image.open(self.labels[index]) as image:
                if image.mode not in ("L", "P"):
                    raise SourceError(f"{self.labels[index]}: expected one byte a pixel, found mode {image.mode}")
                return np.asarray(image, dtype=np.uint8)
        except (OSError, SyntaxError) as error:
            raise SourceError(f"{self.labels[index]}: labels cannot be read ({error})") from error


@dataclass(frozen=True, eq=False)
class SegmentationScores:
    """Mean intersection over union. counts: (n, c, c) of each image, truth by prediction."""

    counts: Labels

    @cached_property
    def value(self) -> float:
        """Over all images."""
        return float(self.values(np.ones((1, len(self.counts))))[0])

    def values(self, weights: npt.NDArray[Any]) -> Floats:
        """(b,) for each row of weights (b, n), how often each image was drawn.

        A class that is neither there nor named is left out, as in torchmetrics' MulticlassJaccardIndex.
        """
        images, classes = self.counts.shape[:2]
        pooled = weights.astype(np.float64) @ self.counts.reshape(images, -1)
        pooled = pooled.reshape(-1, classes, classes)
        shared = np.einsum("bcc->bc", pooled)
        union = pooled.sum(axis=1) + pooled.sum(axis=2) - shared
        result: Floats = (shared / np.maximum(union, 1)).sum(axis=1) / np.maximum((union > 0).sum(axis=1), 1)
        return result


def confusion(named: npt.NDArray[Any], truth: npt.NDArray[Any], classes: int) -> Labels:
    """(c, c) pixels by true class (row) and named class (column), void left out.

    Raises UsageError where torchmetrics is not installed.
    """
    prepare_torchmetrics()
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    valid = truth < classes
    if not valid.any():
        return np.zeros((classes, classes), np.int64)
    found, true = (torch.from_numpy(side[valid].astype(np.int64)) for side in (named, truth))
    return np.asarray(multiclass_confusion_matrix(found, true, num_classes=classes).numpy(), dtype=np.int64)


def camvid_task(
    folder: str | Path, segmenter: Segmenter, split: str = "test", limit: int | None = None
) -> SegmentationTask:
    """CamVid with SegNet's classes for a segmenter of Cityscapes' 19: FOLDER/SPLIT/*.jpg, FOLDER/SPLIT_label/*.png.

    Args:
        limit: at most so many frames, spread evenly over the split (neighbours look alike).

    Raises:
        SourceError: the folders are not there, or a frame has no labels.
    """
    root = Path(folder)
    files = sorted(path for path in (root / split).glob("*") if path.suffix.lower() in (".jpg", ".png"))
    if not files:
        raise SourceError(f"{root / split}: no .jpg or .png images")
    if limit is not None:
        files = [files[i] for i in spread_rows(len(files), limit, nearest=True)]
    labels = [root / f"{split}_label" / f"{path.stem}.png" for path in files]
    missing = [path for path in labels if not path.is_file()]
    if missing:
        raise SourceError(f"{missing[0]}: no such file of labels")
    name = f"{root.name} {split}"
    return SegmentationTask(name, segmenter, tuple(files), tuple(labels), CAMVID_CLASSES, CITYSCAPES_TO_CAMVID)

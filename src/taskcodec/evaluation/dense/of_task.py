"""Any task with any predictor, as what is run behind pixel codecs or scored on pictures that a codec gave back.

task = PictureTask(read_coco("coco"), Detection(load_yolox("yolox_nano_416.onnx")), "YOLOX-nano")
run_dense(task, dense_pixel_codecs())                 # against JPEG, WebP, AVIF, on the pictures' files
score_pictures(task, decoded).value                   # decoded pictures, in the order of the task's
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from taskcodec.data.dense.picture import DensePicture, DensePictures
from taskcodec.data.dense.views import files_of
from taskcodec.distortions.tasks.task import Task
from taskcodec.errors import UsageError
from taskcodec.evaluation.dense.measures import MEASURES, needed
from taskcodec.evaluation.dense.run import DenseScores


@dataclass(frozen=True, eq=False)
class PictureTask:
    """Pictures with their truth, and a task with its predictor.

    Attributes:
        pictures: what is predicted of.
        of: the task; its predictor's classes are those of the pictures (`taskcodec.data.dense.views.Relabelled`).
        predictor: the predictor's name.
    """

    pictures: DensePictures
    of: Task
    predictor: str

    @property
    def set(self) -> str:
        """The pictures' name."""
        return self.pictures.name

    @property
    def task(self) -> str:
        """The task's name."""
        return self.of.name

    @property
    def metric(self) -> str:
        """The metric's name."""
        return self.of.metric

    @property
    def files(self) -> tuple[Path, ...]:
        """(n) the pictures as they are stored. Raises UsageError where they are made, not read."""
        return files_of(self.pictures)

    def examine(self, index: int, image: Image.Image) -> npt.NDArray[Any]:
        """What the metric needs of a decoded picture, which is brought to the size of the truth first.

        Raises UsageError where the picture lacks what the task is about.
        """
        picture = self._known(index)
        if image.size != picture.size:
            image = image.resize(picture.size, Image.Resampling.BICUBIC)
        return self.examine_values(
            index, np.array(image.convert("RGB"), np.float32).transpose(2, 0, 1) / np.float32(255)
        )

    def examine_values(self, index: int, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """The same of (channels, H, W) that a layer gives its task: a picture in [0, 1], or answers of its own.

        Raises UsageError where the picture lacks what the task is about.
        """
        picture = self._known(index)
        given = torch.from_numpy(values)[None]
        device = next((weight.device for weight in self.of.parameters()), torch.device("cpu"))
        was = self.of.training
        try:
            with torch.no_grad():
                predicted = self.of.eval().predict(given.to(device))
        finally:
            self.of.train(was)
        return MEASURES[self.metric].found(predicted, picture, len(self.pictures.label_classes))

    def score(self, found: Sequence[npt.NDArray[Any]]) -> DenseScores:
        """The scores of what `examine` gave for all the pictures."""
        if len(found) != len(self.pictures):
            raise UsageError(f"{self.set}: predictions for {len(found)} of {len(self.pictures)} pictures")
        return MEASURES[self.metric].scores(found, self.pictures)

    def _known(self, index: int) -> DensePicture:
        picture, what = self.pictures[index], needed(self.metric)
        if what is not None and getattr(picture, what) is None:
            raise UsageError(f"{self.set}: {picture.id} has no {what}, which {self.task} is measured by")
        return picture


def score_pictures(task: PictureTask, decoded: Iterable[Image.Image | npt.NDArray[np.uint8]]) -> DenseScores:
    """The scores of decoded pictures, in the order of the task's: RGB images, or (H, W, 3) uint8.

    Raises UsageError where there are fewer or more than the task has.
    """
    found = []
    for index, image in enumerate(decoded):
        if index >= len(task.pictures):
            raise UsageError(f"{task.set}: more decoded pictures than the {len(task.pictures)} of the task")
        found.append(task.examine(index, image if isinstance(image, Image.Image) else Image.fromarray(image)))
    return task.score(found)

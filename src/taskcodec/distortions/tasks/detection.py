"""Objects and where they are: the loss is the detector's own, as its authors train it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

from torch import Tensor

from taskcodec.distortions.tasks.task import Task, Truth


class Found(NamedTuple):
    """Boxes in one picture: (m, 4) corners in its pixels, (m,) int64 labels, (m,) scores; overlapping ones too."""

    corners: Tensor
    labels: Tensor
    scores: Tensor


class DetectionNetwork(Protocol):
    """A detector that knows its loss: those of `taskcodec.transforms.predictors`."""

    def loss(self, pictures: Tensor, corners: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """(n, 3, H, W) in [0, 1] and the boxes of each -> (n,)."""

    def found(self, pictures: Tensor) -> Sequence[tuple[Tensor, Tensor, Tensor]]:
        """The boxes in each picture, as `Found` has them."""


class Detection(Task):
    """predictor: a `DetectionNetwork`."""

    name, metric = "detection", "map"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) the detector's loss."""
        return self._network.loss(pictures, truth.of("corners"), truth.of("box_labels"))

    def predict(self, pictures: Tensor) -> list[Found]:
        """The boxes in each picture."""
        return [Found(*boxes) for boxes in self._network.found(pictures)]

    @property
    def _network(self) -> DetectionNetwork:
        return cast(DetectionNetwork, self.predictor)

"""What a task is: a loss to train by, a predictor, and the name of the metric that measures it.

    decoded pictures (n, 3, H, W) --predictor--> labels, depth, boxes ... --+-- loss --> (n,), with gradients
                                                 the truth of the pictures -+-- metric, in taskcodec.evaluation.dense

A frozen predictor is as its authors left it; one that is not is trained along with what makes the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from torch import Tensor, nn

from taskcodec.errors import UsageError

Metric = Literal["psnr", "ms_ssim", "miou", "depth_accuracy", "accuracy", "map"]


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of a batch of pictures; None is what is not known.

    Attributes:
        pictures: (n, 3, H, W) float32 in [0, 1], RGB, as they were before coding.
        labels: (n, H, W) int64 class of each pixel; `taskcodec.samples.VOID` where it has none.
        depth: (n, H, W) float32 metres; 0 where it is not known.
        corners: of each picture (m, 4) float32 left, top, right, bottom of its boxes, in pixels.
        box_labels: of each picture (m,) int64 classes of its boxes.
        whole: (n,) int64 class of each picture.
    """

    pictures: Tensor
    labels: Tensor | None = None
    depth: Tensor | None = None
    corners: Sequence[Tensor] | None = None
    box_labels: Sequence[Tensor] | None = None
    whole: Tensor | None = None

    def of(self, what: str) -> Any:
        """What is known under this name. Raises UsageError where nothing is."""
        found = getattr(self, what)
        if found is None:
            raise UsageError(f"these pictures come without {what.replace('_', ' ')}, which the task needs")
        return found


class Task(nn.Module):
    """A task with its predictor.

    Attributes:
        name: for reports.
        metric: what measures it; `taskcodec.evaluation.dense` computes it.
        predictor: what sees the pictures.
        frozen: its weights get no gradient, and it never is in training mode; gradients pass through it all the same.
    """

    name: str
    metric: Metric

    def __init__(self, predictor: nn.Module, frozen: bool = True) -> None:
        super().__init__()
        self.predictor, self.frozen = predictor, frozen
        if frozen:
            predictor.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """As of any module; a frozen predictor's statistics and dropout stay as they are."""
        super().train(mode)
        if self.frozen:
            self.predictor.eval()
        return self

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n, 3, H, W) decoded pictures in [0, 1] -> (n,) what is lost. Raises UsageError where truth is missing."""
        raise NotImplementedError

    def predict(self, pictures: Tensor) -> Any:
        """What the predictor says of decoded pictures, in the form of the truth."""
        raise NotImplementedError

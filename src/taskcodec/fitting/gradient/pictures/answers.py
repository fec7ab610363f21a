"""What a layer's synthesis gives to its task: a picture for a predictor, or the answer itself."""

from torch import Tensor, nn

from taskcodec.distortions.tasks import (
    Classification,
    Depth,
    Detection,
    Metres,
    Segmentation,
    SquaredError,
    StructuralSimilarity,
    Task,
)
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice


class _MeanOverPlaces(nn.Module):
    """(n, classes, H, W) scores -> (n, classes)."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.mean(dim=(2, 3))


def outputs_of(choice: LayerChoice, data: PictureSet) -> int:
    """Channels that a layer's synthesis gives: 3 for a picture. Raises UsageError where classes are not known."""
    if choice.predictor is not None or choice.task not in ("classification", "segmentation", "depth"):
        return 3
    if choice.task == "depth":
        return 1
    classes = data.classes.get(choice.task, 0)
    if classes < 2:
        raise UsageError(f"layers.{choice.name}.task: {choice.task} needs pictures of 2 classes or more")
    return classes


def task_of(choice: LayerChoice, predictor: nn.Module | None) -> Task | None:
    """A layer's task, with the frozen predictor that it names, or with none; None for no task."""
    if choice.task == "none":
        return None
    if choice.task in ("mse", "ms_ssim"):
        return SquaredError() if choice.task == "mse" else StructuralSimilarity()
    if choice.task == "detection":
        assert predictor is not None
        return Detection(predictor)
    kind = {"classification": Classification, "segmentation": Segmentation, "depth": Depth}[choice.task]
    if predictor is not None:
        return kind(predictor)
    own = {"classification": _MeanOverPlaces, "segmentation": nn.Identity, "depth": Metres}[choice.task]
    return kind(own(), frozen=False)


def check_known(choice: LayerChoice, data: PictureSet) -> None:
    """Raise UsageError unless the pictures come with what a layer's task asks for."""
    needed = {"classification": "whole", "segmentation": "labels", "depth": "depth", "detection": "corners"}
    what = needed.get(choice.task)
    if what is not None and getattr(data.pictures[0], what) is None:
        words = {"whole": "classes", "corners": "boxes"}.get(what, what)
        raise UsageError(f"layers.{choice.name}.task: {choice.task} needs {words}, which these pictures lack")

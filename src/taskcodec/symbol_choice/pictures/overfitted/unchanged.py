"""What a frozen predictor says of a decoded picture, against what it said of the picture as it was: no truth is needed.

depth           the loss of `Depth`, its own answer being the truth
classification  bits that the classes are off by; segmentation: likewise, in the mean over pixels
detection       YOLOX's loss with soft truth, over the objects that it saw, at least one
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from taskcodec.distortions.tasks.depth import Depth
from taskcodec.distortions.tasks.task import Truth
from taskcodec.errors import UsageError
from taskcodec.transforms.predictors.simota import IOU_WEIGHT, iou
from taskcodec.transforms.predictors.yolox import decoded, letterbox

Distance: TypeAlias = Callable[[Tensor], Tensor]
"""(n, 3, H, W) in [0, 1] -> (n,)."""


def unchanged(task: str, predictor: nn.Module, pictures: Tensor) -> Distance:
    """The distance of a task from what a predictor says of these pictures (n, 3, H, W) in [0, 1].

    Raises UsageError where the predictor is not for the task.
    """
    predictor.requires_grad_(False).eval()
    try:
        with torch.no_grad():
            return {"depth": _depth, "detection": _detection}.get(task, _classes)(predictor, pictures)
    except (AttributeError, TypeError, IndexError, RuntimeError) as error:
        raise UsageError(f"a predictor that is none of {task}: {' '.join(str(error).split())[:200]}") from error


def _depth(predictor: nn.Module, pictures: Tensor) -> Distance:
    task = Depth(predictor)
    truth = Truth(pictures, depth=task.predict(pictures))
    return lambda found: task.loss(found, truth)


def _classes(predictor: nn.Module, pictures: Tensor) -> Distance:
    wanted = log_softmax(torch.as_tensor(predictor(pictures)), dim=1)

    def distance(found: Tensor) -> Tensor:
        said: Tensor = log_softmax(torch.as_tensor(predictor(found)), dim=1)
        nats = (wanted.exp() * (wanted - said)).sum(dim=1)
        bits: Tensor = (nats.flatten(1).mean(dim=1) if nats.ndim > 1 else nats) / math.log(2)
        return bits

    return distance


def _detection(predictor: nn.Module, pictures: Tensor) -> Distance:
    detector = cast(Any, predictor)

    def positions(seen: Tensor) -> Any:
        shown, _ = letterbox(seen, detector.side, detector.strides[-1])
        return decoded(detector.network(shown).float(), (shown.shape[2], shown.shape[3]), detector.strides)

    wanted = positions(pictures)

    def distance(found: Tensor) -> Tensor:
        said = positions(found)
        objects = divergence(said.objects, wanted.objects)
        boxes = IOU_WEIGHT * (1 - iou(said.corners, wanted.corners).square())
        classes = divergence(said.classes, wanted.classes).sum(dim=-1)
        total: Tensor = (objects + wanted.objects * (boxes + classes)).sum(dim=1)
        mean: Tensor = total / wanted.objects.sum(dim=1).clamp(min=1)
        return mean

    return distance


def divergence(found: Tensor, wanted: Tensor) -> Tensor:
    """Nats that one probability is from another, element by element; 0 where they are equal."""
    p, q = (each.clamp(1e-6, 1 - 1e-6) for each in (found, wanted))
    return q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()

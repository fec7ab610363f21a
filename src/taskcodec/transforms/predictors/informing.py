"""Predictors whose answers inform an analysis: the small ones, whose weights travel with it."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from taskcodec.errors import UsageError
from taskcodec.transforms.networks.pictures.informed import Answers
from taskcodec.transforms.networks.pictures.pyramid import SmallDetector, SmallSegmenter
from taskcodec.transforms.predictors.small import SmallDepth
from taskcodec.transforms.predictors.yolox import Yolox


def sizes_of_answers(predictor: nn.Module) -> Mapping[str, Any]:
    """The sizes of an analysis that sees what this predictor says. Raises UsageError where it is no small one."""
    network = _core(predictor)
    classes = network.classes
    return {"reads": list(network.pyramid.widths), "classes": classes, "boxes": isinstance(network, SmallDetector)}


def take_predictor(analysis: nn.Module, predictor: nn.Module) -> None:
    """Give an analysis that sees answers the weights of their predictor."""
    for module in analysis.modules():
        if isinstance(module, Answers):
            module.predictor.load_state_dict(_core(predictor).state_dict())


def _core(predictor: nn.Module) -> SmallSegmenter | SmallDetector:
    found = predictor
    if isinstance(predictor, SmallDepth):
        found = predictor.body
    elif isinstance(predictor, Yolox):
        found = predictor.network
    if not isinstance(found, SmallSegmenter | SmallDetector):
        raise UsageError("an analysis sees the answers of small predictors alone, whose weights travel with it")
    return found

"""What a layer of pictures was trained for, as its codec records it: that is what its symbols are searched for.

lowered in training    distortion * pixels + bit * bits        distortion per unit of its weight
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskcodec.coding import SpatialTables, Tables
from taskcodec.layer import Layer
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.picture import PictureTransform

SEARCHED = ("mse", "ms_ssim")
"""Tasks whose distortion needs nothing but the picture."""
UNCHANGED = ("classification", "segmentation", "depth", "detection")
"""Tasks of overfitted layers: a predictor is to say of the decoded picture what it says of the picture as it is."""


@dataclass(frozen=True)
class Goal:
    """See the module.

    Attributes:
        task: one of SEARCHED.
        bit: what a bit cost, in units of the distortion times pixels.
        predictor: by whose answers the distortion is taken, where it is not of the picture itself.
        error: what a mean squared error costs beside such a distortion.
    """

    task: str
    bit: float
    predictor: str | None = None
    error: float = 0.0


def goals_of(layers: tuple[Layer, ...], provenance: Mapping[str, Any]) -> dict[str, Goal | str]:
    """By layer what it is searched for, or in words why its symbols are not searched for."""
    trained, found = _trained(provenance), dict[str, Goal | str]()
    for layer in reversed(layers):
        found[layer.name] = _goal_of(layer, trained.get(layer.name))
        looking = [above.name for above in layers if layer.name in above.given and _looks(above)]
        unsearched = [name for name in looking if isinstance(found[name], str)]
        if unsearched and isinstance(found[layer.name], Goal):
            found[layer.name] = f"layer {unsearched[0]} is made of it, and is not searched"
    return {layer.name: found[layer.name] for layer in layers}


def _looks(layer: Layer) -> bool:
    """Whether a layer's synthesis looks at those below."""
    return isinstance(layer.transform, PictureTransform) and layer.transform.given_columns > 0


def reasons(goals: Mapping[str, Goal | str]) -> list[str]:
    """Of the layers whose symbols are not searched for, why, in words."""
    return [f"layer {name} is not searched, since {why}" for name, why in goals.items() if isinstance(why, str)]


def _trained(provenance: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any], Any]]:
    """Of each layer that a codec says was trained, its choices and the beta of its training."""
    found, stages = dict[str, tuple[Mapping[str, Any], Any]](), provenance.get("trained")
    for stage in stages if isinstance(stages, list | tuple) else []:
        choices = stage.get("layers") if isinstance(stage, Mapping) else None
        if isinstance(choices, Mapping):
            found |= {name: (own, stage.get("beta")) for name, own in choices.items() if isinstance(own, Mapping)}
    return found


def _goal_of(layer: Layer, trained: tuple[Mapping[str, Any], Any] | None) -> Goal | str:
    if trained is None:
        return "its codec does not say what it was trained for"
    own, beta = trained
    task, bit, weight = own.get("task"), own.get("beta") or beta, own.get("weight", 1.0)
    predictor, error = own.get("predictor"), own.get("error") or 0.0
    overfitted = isinstance(layer.transform, OverfittedTransform)
    if not isinstance(task, str):
        return "its codec does not say what it was trained for"
    if overfitted and not (isinstance(predictor, str) if task in UNCHANGED else task in SEARCHED):
        return f"its codec names no predictor for {task}"
    if not overfitted and task not in SEARCHED:
        return f"it was trained for {task}, of which the codec holds no predictor"
    if own.get("preview"):
        return "its training rewarded a preview, too"
    if not all(isinstance(each, int | float) and 0 < each < float("inf") for each in (bit, weight)):
        return "its codec does not say what a bit costs"
    if overfitted:
        if not isinstance(error, int | float) or not 0 <= error < float("inf"):
            return "its codec does not say what an error costs"
        return Goal(task, bit / weight, predictor if task in UNCHANGED else None, float(error))
    if not isinstance(layer.model, Tables | SpatialTables):
        return "its tables follow from symbols at the same place"
    if not isinstance(layer.transform, PictureTransform) or layer.transform.networks.means is not None:
        return "its means come from outside its tables"
    return Goal(task, bit / weight)

"""What in a configuration would have no effect, or could only fail once the data are loaded: refused before that."""

import glob
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from taskcodec.data.idx import is_idx_folder
from taskcodec.errors import SourceError, UsageError, check_one_of
from taskcodec.fitting.gradient.recipe import RECONSTRUCTING, Recipe, Schedule
from taskcodec.transforms.networks.carried import ANALYSES, SYNTHESES

SIZES: Mapping[str, tuple[str, ...]] = {
    "mlp": ("hidden",),
    "head": ("hidden",),
    "resnet_small": ("widths", "blocks", "stem_stride"),
    "resnet18": (),
    "resnet50": (),
    "deconv": ("width",),
}
"""The sizes of each network that the data leave open (a test compares them with the networks' own)."""
SETTLED = ("inputs", "outputs", "channels", "side")
"""Sizes that follow from the data and from model.columns."""
LOGS = ("csv", "tensorboard")


def check_network(where: str, section: Mapping[str, Any]) -> None:
    """Raise UsageError on an unknown network, or on sizes that it does not have or that the data settle."""
    known = ANALYSES if where.endswith("analysis") else SYNTHESES
    name = section["name"]
    check_one_of(f"{where}.name", name, known)
    sizes = ", ".join(SIZES[name]) or "none"
    for key in section:
        if key in SETTLED:
            raise UsageError(f"{where}.{key}: follows from the data and model.columns; leave it out")
        if key != "name" and key not in SIZES[name]:
            raise UsageError(f"{where}.{key}: invalid size of {name}; it has {sizes}")


def check_source(key: str, source: str) -> None:
    """Raise SourceError, with the key, where nothing lies at a source; what it is, is found out when it is read."""
    pattern = any(letter in source for letter in "*?[")
    if not os.path.lexists(source) and not (pattern and glob.glob(source)):
        raise SourceError(f"{key}: {source}: no such file or folder")


def check_log(names: tuple[str, ...]) -> None:
    """Raise UsageError on a log that is unknown or not installed."""
    for name in names:
        if name not in LOGS:
            raise UsageError(f"log: {name!r} is neither {' nor '.join(LOGS)}")
        if name == "tensorboard" and all(find_spec(found) is None for found in ("tensorboard", "tensorboardX")):
            raise UsageError("log: tensorboard is not installed; run: pip install tensorboard")


def check_negatives(recipe: Recipe, schedule: Schedule) -> None:
    """Raise UsageError where BINCE would have nothing to tell a sample from: it would learn nothing."""
    if recipe.objective == "BINCE" and schedule.batch == 1 and recipe.queue == 0:
        raise UsageError("training.batch: 1 leaves BINCE no other sample to tell one from; take more, or model.queue")


def check_used(data: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Raise UsageError on a key that the source or the objective has no use for."""
    kind, unused = _unused_of(data)
    for key in unused:
        if key in data:
            raise UsageError(f"data.{key}: has no effect on {kind}; leave it out")
    objective = model["objective"]
    if "target" in data and objective != "VIC":
        raise UsageError(f"data.target: has no effect with objective {objective}, only with VIC; leave it out")
    for key, of in (("queue", ("BINCE",)), ("positive", ("BINCE",)), ("projection", ("BINCE", "supervised"))):
        if key in model and objective not in of:
            raise UsageError(f"model.{key}: has no effect with objective {objective}; leave it out")
    if model.get("positive") == "sample" and "projection" in model:
        raise UsageError("model.projection: has no effect with positive: sample, only with view; leave it out")
    if objective not in RECONSTRUCTING and model.get("positive") != "sample" and "synthesis" in model:
        but = " with positive: view" if objective == "BINCE" else ""
        raise UsageError(f"model.synthesis: has no effect with objective {objective}{but}; leave it out")


def _unused_of(data: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What kind of source it is, in words, and the keys that it has no use for."""
    source = Path(data["source"])
    images = ("side", "grey", "backbone")
    if data["source"] == "banana":
        return "the toy source banana", images
    if source.name.lower().endswith((".npy", ".parquet")):
        return "vectors, which are taken as they are", ("seed", *images)
    if is_idx_folder(data["source"]):
        return "IDX files, which have their own size", ("seed", *images)
    if "backbone" in data:
        return "features of a backbone, which has its own size of images", ("seed", "side", "grey")
    return "images", ("seed",)

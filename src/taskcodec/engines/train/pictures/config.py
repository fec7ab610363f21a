"""The configuration of layers of pictures.

data:      what to train on           source, samples, side, crop, seed
layers:    NAME: {analysis, synthesis, task, predictor, given, ...}, ...: the keys of `_LAYER`
joint:     true: train all of them together; else each on those that are finished
below:     a codec whose layers lie below all of these, and stay as they are
beta:      what a bit a pixel costs; one number, or a list: a codec for each
training:  how                        steps, batch, learning_rate, ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskcodec.engines.train.checks import check_log, check_source
from taskcodec.engines.train.keys import (
    FLAG,
    MAX_WHOLE,
    NUMBER,
    NUMBERS,
    SECTION,
    WHOLE,
    WORD,
    WORDS,
    check_fields,
    check_keys,
    said_of,
)
from taskcodec.errors import UsageError, check_one_of
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from taskcodec.words import counted

_TOP = {
    "data": SECTION,
    "layers": SECTION,
    "joint": FLAG,
    "below": WORD,
    "beta": NUMBERS,
    "training": SECTION,
    "log": WORDS,
}
_LAYER = {
    "analysis": SECTION,
    "synthesis": SECTION,
    "task": WORD,
    "predictor": WORD,
    "given": WORDS,
    "conditional": WORD,
    "preview": NUMBER,
    "beta": NUMBER,
    "weight": NUMBER,
    "entropy": SECTION,
    "begin": WORD,
    "informed_by": WORD,
}
_KINDS: Mapping[Any, str] = {int: WHOLE, float: NUMBER, str: WORD}
SCENES = "scenes"
DENSE = ("coco", "cityscapes", "folder")
"""What may stand before the colon of a source with boxes, labels or depth."""
PREDICTORS, SHIPPED = ("yolox", "torchvision", "small"), ("osd_depth", "scenes_detector")
"""What may stand before the colon of a predictor's name, and those that have none: as `load_predictor`, which imports
torch, knows them (a test compares them)."""
SMALL = ("small",)
"""Those that may inform an analysis."""
BATCH = 16
"""Pictures of a step where none are said."""


@dataclass(frozen=True)
class PicturesChoice:
    """What to train on.

    Attributes:
        source: "scenes", made by a procedure with boxes, labels and depth; "coco:FOLDER", "cityscapes:FOLDER" or
            "folder:FOLDER", with what these have; or a folder, list or shards of images, whose folders are classes.
        samples: how many scenes are made; at most how many pictures are read of others, spread evenly over them.
        side: of scenes; images of a plain source whose shorter side is longer are scaled to it. In pixels.
        crop: side of the squares that are cut out at random, in pixels.
        seed: of scenes.
    """

    source: str
    samples: int = 2000
    side: int = 256
    crop: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least, most in (("samples", 2, 1 << 24), ("seed", 0, MAX_WHOLE), ("side", 1, 1 << 12)):
            if not least <= getattr(self, key) <= most:
                raise UsageError(f"{key}: expected a whole number from {least} to {most}, found {getattr(self, key)}")

    @property
    def kind(self) -> str:
        """SCENES, one of DENSE, or "images"."""
        before = self.source.partition(":")[0]
        return before if self.source == SCENES or (before in DENSE and ":" in self.source) else "images"

    @property
    def place(self) -> str:
        """Where it lies; empty for scenes."""
        return {SCENES: "", "images": self.source}.get(self.kind, self.source.partition(":")[2])


@dataclass(frozen=True)
class LayersConfig:
    """A checked configuration; `recipes` has one for each beta. below: a codec's file."""

    name: str
    data: PicturesChoice
    recipes: tuple[LayersRecipe, ...]
    schedule: Schedule
    log: tuple[str, ...] = ("csv",)
    below: str | None = None


def read_layers(name: str, content: Mapping[str, Any], seed: int | None) -> LayersConfig:
    """Check the content of a file. Raises as `taskcodec.engines.train.config.read_config`."""
    check_keys(name, "", content, _TOP, needed=("data", "layers", "beta", "training"))
    choice, schedule = read_pictures(name, content, seed)
    layers = tuple(_layer(name, str(key), section) for key, section in content["layers"].items())
    betas = content["beta"] if isinstance(content["beta"], list) else [content["beta"]]
    with said_of(f"{name}: "):
        joint = content.get("joint", False)
        recipes = tuple(LayersRecipe(layers, float(beta), joint, choice.crop) for beta in betas)
        log = tuple(content.get("log", ("csv",)))
        check_log(log)
        if "joint" in content and len(layers) == 1:
            raise UsageError("joint: has no effect with one layer; leave it out")
        if len(betas) > 1 and all(layer.beta is not None for layer in layers):
            raise UsageError("beta: a list has no effect where every layer has its own")
        if "below" in content:
            check_source("below", content["below"])
    return LayersConfig(name, choice, recipes, schedule, log, content.get("below"))


def read_pictures(name: str, content: Mapping[str, Any], seed: int | None) -> tuple[PicturesChoice, Schedule]:
    """The sections `data` and `training`. Raises as `read_layers`."""
    data, training = content["data"], {"batch": BATCH, **content["training"]}
    if seed is not None:
        training["seed"] = seed
    check_fields(name, "data", data, PicturesChoice, _KINDS)
    check_fields(name, "training", training, Schedule, _KINDS)
    with said_of(f"{name}: data."):
        choice = PicturesChoice(**data)
        _check_used(data, choice)
        if choice.place:
            check_source("source", choice.place)
    with said_of(f"{name}: training: "):
        schedule = Schedule(**training)
    if choice.kind == SCENES and schedule.batch > choice.samples:
        raise UsageError(
            f"{name}: training.batch: {schedule.batch} is more than the {counted(choice.samples, 'sample')}"
        )
    return choice, schedule


def _check_used(data: Mapping[str, Any], choice: PicturesChoice) -> None:
    """Raise UsageError on a key that the source has no use for."""
    if choice.kind != SCENES and "seed" in data:
        raise UsageError("seed: has no effect but on scenes; leave it out")
    if choice.kind in DENSE and "side" in data:
        raise UsageError(f"side: has no effect on {choice.kind}, whose pictures stay as they are; leave it out")


def _layer(name: str, key: str, section: Any) -> LayerChoice:
    where = f"layers.{key}"
    if not isinstance(section, dict):
        raise UsageError(f"{name}: {where}: expected {SECTION}")
    check_keys(name, where, section, _LAYER, needed=("analysis",))
    analysis = network_of(name, f"{where}.analysis", section["analysis"])
    back = network_of(name, f"{where}.synthesis", section.get("synthesis", {"name": f"{analysis.name}_synthesis"}))
    plain = {k: value for k, value in section.items() if k not in ("analysis", "synthesis", "given")}
    with said_of(f"{name}: {where}."):
        found = LayerChoice(key, analysis, back, given=tuple(section.get("given", ())), **plain)
        check_predictor("predictor", found.predictor, PREDICTORS)
        check_predictor("informed_by", found.informed_by, SMALL)
        if found.begin is not None:
            check_source("begin", found.begin)
    return found


def check_predictor(key: str, name: str | None, kinds: tuple[str, ...]) -> None:
    """Raise UsageError unless a predictor is shipped, or of one of these kinds."""
    kind, _, rest = (name or "").partition(":")
    if name is not None and name not in SHIPPED and not (rest and kind in kinds):
        check_one_of(key, name, (*SHIPPED, *(f"{each}:..." for each in kinds)))


def network_of(name: str, where: str, section: Mapping[str, Any]) -> NetworkChoice:
    """A section that names a network and its sizes. Raises UsageError where it does not."""
    if not isinstance(section.get("name"), str):
        raise UsageError(f"{name}: {where}.name: missing: the architecture's name")
    with said_of(f"{name}: {where}."):
        return NetworkChoice(section["name"], {key: value for key, value in section.items() if key != "name"})

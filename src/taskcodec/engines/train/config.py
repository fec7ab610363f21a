"""The configuration of a training: YAML, checked key by key before anything heavy is loaded.

    data:           what to train on        source, samples, seed, side, grey, backbone
    augmentations:  what does not matter    a name of taskcodec.data.augmentations.kinds
    jitter:         nor does noise of this spread, on vectors
    model:          what is trained         objective, columns, analysis, synthesis, entropy_model, ...
    beta:           one number, or a list: a codec for each
    training:       how                     steps, batch, learning_rate, ...

A wrong key, shape or path gives one line that names file and key. A file with the section `layers` is of layers of
pictures: `taskcodec.engines.train.pictures.config`; with `realism` of a second synthesis on a codec of pictures that
is finished: `taskcodec.engines.train.pictures.realism`; with `overfitted` of a codec whose pictures bring their own
network: `taskcodec.engines.train.pictures.overfitted`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskcodec.engines.train.checks import check_log, check_negatives, check_network, check_source, check_used
from taskcodec.engines.train.keys import (
    FLAG,
    MAX_WHOLE,
    NUMBER,
    NUMBERS,
    SECTION,
    WHOLE,
    WIDTHS,
    WORD,
    WORDS,
    check_fields,
    check_keys,
    read_yaml,
    said_of,
)
from taskcodec.engines.train.pictures.config import LayersConfig, read_layers
from taskcodec.engines.train.pictures.overfitted import OverfittedConfig, read_overfitted
from taskcodec.engines.train.pictures.realism import RealismConfig, read_realism
from taskcodec.errors import SourceError, UsageError, check_one_of
from taskcodec.fitting.gradient.recipe import (
    LARGEST_NUMBER,
    NetworkChoice,
    Objective,
    Positive,
    Recipe,
    Relaxation,
    Schedule,
)
from taskcodec.words import counted

_TOP = {
    "data": SECTION,
    "augmentations": WORD,
    "jitter": NUMBER,
    "model": SECTION,
    "beta": NUMBERS,
    "training": SECTION,
    "log": WORDS,
}
_KINDS: dict[Any, str] = {
    int: WHOLE, float: NUMBER, str: WORD, str | None: WORD, bool: FLAG, Objective: WORD, Relaxation: WORD,
    Positive: WORD, tuple[int, int]: WIDTHS, NetworkChoice: SECTION, NetworkChoice | None: SECTION,
}  # fmt: skip
AUGMENTATIONS = ("none", "mnist", "crops", "simclr", "rotations")
TARGETS = ("sample", "radius")
"""The names in taskcodec.data.augmentations.kinds, which imports torch (a test compares them)."""
TOY = "banana"
MAX_SAMPLES = 1 << 28
"""All samples are held in memory."""
MAX_SIDE = 1 << 12


@dataclass(frozen=True)
class DataChoice:
    """What to train on.

    Attributes:
        source: "banana", a folder of IDX files, a folder, list or shards of images, a .npy or a .parquet file.
        samples: how many are drawn of a toy source; at most how many are read of others, spread evenly over them.
        seed: of a toy source.
        side: images are scaled and cropped to squares of this side in pixels; IDX files have their own. The network
            deconv needs a multiple of 4.
        grey: images are read as grey.
        backbone: train a head on the features of this frozen backbone.
        target: what VIC reconstructs: "sample" or "radius".
    """

    source: str
    samples: int = 100_000
    seed: int = 0
    side: int = 64
    grey: bool = False
    backbone: str | None = None
    target: str = "sample"

    def __post_init__(self) -> None:
        for key, least, most in (("samples", 2, MAX_SAMPLES), ("seed", 0, MAX_WHOLE), ("side", 1, MAX_SIDE)):
            if not least <= getattr(self, key) <= most:
                raise UsageError(f"{key}: expected a whole number from {least} to {most}, found {getattr(self, key)}")
        check_one_of("target", self.target, TARGETS)


@dataclass(frozen=True)
class TrainConfig:
    """A checked configuration; `recipes` has one for each beta."""

    name: str
    data: DataChoice
    augmentations: str
    recipes: tuple[Recipe, ...]
    schedule: Schedule
    log: tuple[str, ...] = ("csv",)
    jitter: float = 0.0

    def __post_init__(self) -> None:
        check_one_of(f"{self.name}: augmentations", self.augmentations, AUGMENTATIONS)
        if not 0 <= self.jitter <= LARGEST_NUMBER:
            raise UsageError(f"{self.name}: jitter: expected a number of at least 0, found {self.jitter}")


def read_config(
    path: str | Path, betas: Sequence[float] = (), seed: int | None = None
) -> TrainConfig | LayersConfig | RealismConfig | OverfittedConfig:
    """Read and check a configuration: of layers of pictures where it has the section `layers`, `realism` or
    `overfitted`.

    Args:
        path: of the YAML file.
        betas: instead of the file's.
        seed: instead of the file's training.seed.

    Raises:
        SourceError: no such file, not YAML, or without sections; or nothing lies where it says that the data are.
        UsageError: what is wrong in it, in one line.
    """
    name = str(path)
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SourceError(f"{name}: expected the sections {', '.join(_TOP)}")
    if betas:
        content = {**content, "beta": list(betas)}
    if "layers" in content:
        return read_layers(name, content, seed)
    if "overfitted" in content:
        return read_overfitted(name, content, seed)
    if "realism" in content:
        return read_realism(name, content, seed)
    check_keys(name, "", content, _TOP, needed=("data", "model", "beta", "training"))
    data, model, training = content["data"], content["model"], dict(content["training"])
    if seed is not None:
        training["seed"] = seed
    check_fields(name, "data", data, DataChoice, _KINDS)
    check_fields(name, "model", model, Recipe, _KINDS, beside=("beta",))
    check_fields(name, "training", training, Schedule, _KINDS)
    networks = {key: _network(name, f"model.{key}", model[key]) for key in ("analysis", "synthesis") if key in model}
    plain: dict[str, Any] = {**model, **networks}
    if "projection" in plain:
        plain["projection"] = tuple(plain["projection"])
    beta = content["beta"] if isinstance(content["beta"], list) else [content["beta"]]
    with said_of(f"{name}: model: "):
        recipes = tuple(Recipe(beta=float(value), **plain) for value in beta)
    with said_of(f"{name}: training: "):
        schedule = Schedule(**training)
    log = tuple(content.get("log", ("csv",)))
    with said_of(f"{name}: "):
        check_used(data, model)
        check_log(log)
        check_negatives(recipes[0], schedule)
    with said_of(f"{name}: data."):
        choice = DataChoice(**data)
        _check_side(data, recipes[0])
        if choice.source != TOY:
            check_source("source", choice.source)
    if choice.source == TOY and schedule.batch > choice.samples:
        raise UsageError(
            f"{name}: training.batch: {schedule.batch} is more than the {counted(choice.samples, 'sample')}"
        )
    return TrainConfig(
        name=name,
        data=choice,
        augmentations=content.get("augmentations", "none"),
        recipes=recipes,
        schedule=schedule,
        log=log,
        jitter=float(content.get("jitter", 0.0)),
    )


def _check_side(data: Mapping[str, Any], recipe: Recipe) -> None:
    """Raise UsageError where the synthesis cannot make images of this side. (Sides in files are seen when read.)"""
    if "side" in data and recipe.synthesis is not None and recipe.synthesis.name == "deconv" and data["side"] % 4:
        raise UsageError(f"side: the network deconv needs a multiple of 4, found {data['side']}")


def _network(name: str, where: str, section: Mapping[str, Any]) -> NetworkChoice:
    if not isinstance(section.get("name"), str):
        raise UsageError(f"{name}: {where}.name: missing: the architecture's name")
    with said_of(f"{name}: "):
        check_network(where, section)
    with said_of(f"{name}: {where}."):
        return NetworkChoice(section["name"], {key: value for key, value in section.items() if key != "name"})

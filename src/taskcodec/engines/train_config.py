"""The configuration of a training: YAML, checked key by key before anything heavy is loaded.

    data:           what to train on        source, samples, seed, side, grey, backbone
    augmentations:  what does not matter    a name of taskcodec.data.augmentations
    jitter:         nor does noise of this spread, on vectors
    model:          what is trained         objective, columns, analysis, synthesis, entropy_model, ...
    beta:           one number, or a list: a codec for each
    training:       how                     steps, batch, learning_rate, ...

A wrong key, shape or path gives one line that names file and key.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taskcodec.engines.train_checks import check_log, check_negatives, check_network, check_used
from taskcodec.errors import SourceError, UsageError
from taskcodec.fitting.recipe import NetworkChoice, Recipe, Schedule

WHOLE, NUMBER, WORD, FLAG, WIDTHS, NUMBERS, WORDS, SECTION = (
    "a whole number",
    "a number",
    "a word",
    "true or false",
    "a list of two whole numbers",
    "a number or a list of numbers",
    "a list of words",
    "a section of keys",
)
_TOP = {
    "data": SECTION,
    "augmentations": WORD,
    "jitter": NUMBER,
    "model": SECTION,
    "beta": NUMBERS,
    "training": SECTION,
    "log": WORDS,
}
_DATA = {
    "source": WORD, "samples": WHOLE, "seed": WHOLE, "side": WHOLE, "grey": FLAG, "backbone": WORD, "target": WORD,
}  # fmt: skip
_MODEL = {
    "objective": WORD, "columns": WHOLE, "analysis": SECTION, "synthesis": SECTION, "entropy_model": WORD,
    "relaxation": WORD, "projection": WIDTHS, "queue": WHOLE,
}  # fmt: skip
_KINDS: dict[Any, str] = {int: WHOLE, float: NUMBER, str: WORD}
_TRAINING = {field.name: _KINDS[field.type] for field in fields(Schedule)}


@dataclass(frozen=True)
class DataChoice:
    """What to train on.

    Attributes:
        source: "banana", a folder of IDX files, a folder, list or shards of images, a .npy or a .parquet file.
        samples: how many are drawn of a toy source; at most how many are read of others, spread evenly over them.
        seed: of a toy source.
        side: images are scaled and cropped to squares of this side in pixels; IDX files have their own.
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


@dataclass(frozen=True)
class LeftOut:
    """Samples that are not trained on, since they cannot be read: how many, the first one's name, and its reason."""

    count: int
    first: str
    reason: str


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


def read_config(path: str | Path, betas: Sequence[float] = (), seed: int | None = None) -> TrainConfig:
    """Read and check a configuration.

    Args:
        path: of the YAML file.
        betas: instead of the file's.
        seed: instead of the file's training.seed.

    Raises:
        SourceError: no such file, or not YAML.
        UsageError: what is wrong in it, in one line.
    """
    try:
        import yaml
    except ImportError as error:
        raise UsageError("training needs PyYAML; run: pip install 'taskcodec[train]'") from error
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise SourceError(f"{path}: not YAML{where} ({getattr(error, 'problem', None) or 'not text'})") from error
    name = str(path)
    if not isinstance(content, dict):
        raise UsageError(f"{name}: expected the sections {', '.join(_TOP)}")
    if betas:
        content = {**content, "beta": list(betas)}
    _check(name, "", content, _TOP, needed=("data", "model", "beta", "training"))
    data, model, training = content["data"], content["model"], dict(content["training"])
    _check(name, "data", data, _DATA, needed=("source",))
    _check(name, "model", model, _MODEL, needed=("objective", "columns", "analysis"))
    if seed is not None:
        training["seed"] = seed
    missing = [field.name for field in fields(Schedule) if field.default is MISSING]
    _check(name, "training", training, _TRAINING, needed=missing)
    networks = {key: _network(name, f"model.{key}", model[key]) for key in ("analysis", "synthesis") if key in model}
    plain: dict[str, Any] = {**model, **networks}
    if "projection" in plain:
        plain["projection"] = tuple(plain["projection"])
    beta = content["beta"] if isinstance(content["beta"], list) else [content["beta"]]
    try:
        recipes = tuple(Recipe(beta=float(value), **plain) for value in beta)
    except UsageError as error:
        raise UsageError(f"{name}: model: {error}") from error
    try:
        schedule = Schedule(**training)
    except UsageError as error:
        raise UsageError(f"{name}: training: {error}") from error
    log = tuple(content.get("log", ("csv",)))
    try:
        check_used(data, model)
        check_log(log)
        check_negatives(recipes[0], schedule)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    return TrainConfig(
        name=name,
        data=DataChoice(**data),
        augmentations=content.get("augmentations", "none"),
        recipes=recipes,
        schedule=schedule,
        log=log,
        jitter=float(content.get("jitter", 0.0)),
    )


def _network(name: str, where: str, section: Mapping[str, Any]) -> NetworkChoice:
    if not isinstance(section.get("name"), str):
        raise UsageError(f"{name}: {where}.name: missing: the architecture's name")
    try:
        check_network(where, section)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    return NetworkChoice(section["name"], {key: value for key, value in section.items() if key != "name"})


def _check(name: str, section: str, found: Any, known: Mapping[str, str], needed: Sequence[str]) -> None:
    """Raise UsageError unless `found` has the keys it needs, no others, and values of their kinds."""
    prefix = f"{section}." if section else ""
    for key, value in found.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"{name}: {prefix}{key}: no such key; {hint}")
        if not _is(value, known[key]):
            raise UsageError(f"{name}: {prefix}{key}: expected {known[key]}, found {_short(value, known[key])}")
    for key in needed:
        if key not in found:
            raise UsageError(f"{name}: {prefix}{key}: missing")


def _is(value: Any, kind: str) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or isinstance(value, float)
    if kind == NUMBERS and isinstance(value, list):
        return bool(value) and all(_is(item, NUMBER) for item in value)
    if kind == WORDS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == WIDTHS:
        return isinstance(value, list) and len(value) == 2 and all(_is(item, WHOLE) for item in value)
    return {
        WHOLE: whole,
        NUMBER: number,
        NUMBERS: number,
        WORD: isinstance(value, str),
        FLAG: isinstance(value, bool),
        SECTION: isinstance(value, dict),
    }[kind]


def _short(value: Any, kind: str) -> str:
    """A value as found; of a number in another notation also how to write it."""
    hint, number = "", _number(value)
    if number is not None and kind == WHOLE and number.is_integer():
        hint = f" (write {number:.0f})"
    elif number is not None and isinstance(value, str) and kind in (NUMBER, NUMBERS):
        hint = " (a word to YAML: write 1.0e-3 for 1e-3)"
    return f"{str(value)[:40]!r}" + hint


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | float):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None

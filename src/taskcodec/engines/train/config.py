"""The configuration of a training: YAML, checked key by key before anything heavy is loaded.

    data:           what to train on        source, samples, seed, side, grey, backbone
    augmentations:  what does not matter    a name of taskcodec.data.augmentations.kinds
    jitter:         nor does noise of this spread, on vectors
    model:          what is trained         objective, columns, analysis, synthesis, entropy_model, ...
    beta:           one number, or a list: a codec for each
    training:       how                     steps, batch, learning_rate, ...

A wrong key, shape or path gives one line that names file and key.
"""

import glob
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taskcodec.engines.train.checks import check_log, check_negatives, check_network, check_used
from taskcodec.errors import SourceError, TaskcodecError, UsageError, check_one_of, unreadable
from taskcodec.fitting.gradient.recipe import LARGEST_NUMBER, NetworkChoice, Objective, Recipe, Relaxation, Schedule

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
_KINDS: dict[Any, str] = {
    int: WHOLE, float: NUMBER, str: WORD, str | None: WORD, bool: FLAG, Objective: WORD, Relaxation: WORD,
    tuple[int, int]: WIDTHS, NetworkChoice: SECTION, NetworkChoice | None: SECTION,
}  # fmt: skip
AUGMENTATIONS = ("none", "mnist", "crops", "simclr", "rotations")
TARGETS = ("sample", "radius")
"""The names in taskcodec.data.augmentations.kinds, which imports torch (a test compares them)."""
TOY = "banana"
MAX_SAMPLES = 1 << 28
"""All samples are held in memory."""
MAX_SIDE = 1 << 12
MAX_WHOLE = 2**63 - 1


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

    def __post_init__(self) -> None:
        check_one_of(f"{self.name}: augmentations", self.augmentations, AUGMENTATIONS)
        if not 0 <= self.jitter <= LARGEST_NUMBER:
            raise UsageError(f"{self.name}: jitter: expected a number of at least 0, found {self.jitter}")


def read_config(path: str | Path, betas: Sequence[float] = (), seed: int | None = None) -> TrainConfig:
    """Read and check a configuration.

    Args:
        path: of the YAML file.
        betas: instead of the file's.
        seed: instead of the file's training.seed.

    Raises:
        SourceError: no such file, or not YAML; or nothing lies where it says that the data are.
        UsageError: what is wrong in it, in one line.
    """
    name = str(path)
    content = _read_yaml(path)
    if not isinstance(content, dict):
        raise UsageError(f"{name}: expected the sections {', '.join(_TOP)}")
    if betas:
        content = {**content, "beta": list(betas)}
    _check(name, "", content, _TOP, needed=("data", "model", "beta", "training"))
    data, model, training = content["data"], content["model"], dict(content["training"])
    if seed is not None:
        training["seed"] = seed
    _check_fields(name, "data", data, DataChoice)
    _check_fields(name, "model", model, Recipe, beside=("beta",))
    _check_fields(name, "training", training, Schedule)
    networks = {key: _network(name, f"model.{key}", model[key]) for key in ("analysis", "synthesis") if key in model}
    plain: dict[str, Any] = {**model, **networks}
    if "projection" in plain:
        plain["projection"] = tuple(plain["projection"])
    beta = content["beta"] if isinstance(content["beta"], list) else [content["beta"]]
    with _said_of(f"{name}: model: "):
        recipes = tuple(Recipe(beta=float(value), **plain) for value in beta)
    with _said_of(f"{name}: training: "):
        schedule = Schedule(**training)
    log = tuple(content.get("log", ("csv",)))
    with _said_of(f"{name}: "):
        check_used(data, model)
        check_log(log)
        check_negatives(recipes[0], schedule)
    with _said_of(f"{name}: data."):
        choice = DataChoice(**data)
        _check_side(data, recipes[0])
        _check_source(choice.source)
    if choice.source == TOY and schedule.batch > choice.samples:
        raise UsageError(f"{name}: training.batch: {schedule.batch} is more than the {choice.samples} samples")
    return TrainConfig(
        name=name,
        data=choice,
        augmentations=content.get("augmentations", "none"),
        recipes=recipes,
        schedule=schedule,
        log=log,
        jitter=float(content.get("jitter", 0.0)),
    )


@contextmanager
def _said_of(where: str) -> Iterator[None]:
    """What is wrong inside is said with file and section before it."""
    try:
        yield
    except TaskcodecError as error:
        raise type(error)(f"{where}{error}") from error


def _check_side(data: Mapping[str, Any], recipe: Recipe) -> None:
    """Raise UsageError where the synthesis cannot make images of this side. (Sides in files are seen when read.)"""
    if "side" in data and recipe.synthesis is not None and recipe.synthesis.name == "deconv" and data["side"] % 4:
        raise UsageError(f"side: the network deconv needs a multiple of 4, found {data['side']}")


def _check_source(source: str) -> None:
    """Raise SourceError where nothing lies at a source; what it is, is found out when it is read."""
    pattern = any(letter in source for letter in "*?[")
    if source != TOY and not os.path.lexists(source) and not (pattern and glob.glob(source)):
        raise SourceError(f"source: {source}: no such file or folder")


def _network(name: str, where: str, section: Mapping[str, Any]) -> NetworkChoice:
    if not isinstance(section.get("name"), str):
        raise UsageError(f"{name}: {where}.name: missing: the architecture's name")
    with _said_of(f"{name}: "):
        check_network(where, section)
    with _said_of(f"{name}: {where}."):
        return NetworkChoice(section["name"], {key: value for key, value in section.items() if key != "name"})


def _check_fields(name: str, section: str, found: Any, of: type, beside: Sequence[str] = ()) -> None:
    """Raise UsageError unless a section has the fields of a dataclass, but for those beside it."""
    own = [field for field in fields(of) if field.name not in beside]
    needed = [field.name for field in own if field.default is MISSING]
    _check(name, section, found, {field.name: _KINDS[field.type] for field in own}, needed)


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
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE
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
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        return "one that is too large"  # and may have more digits than Python turns into text
    hint, number = "", _number(value)
    if number is not None and kind == WHOLE and number.is_integer() and abs(number) <= MAX_WHOLE:
        hint = f" (write {number:.0f})"
    elif number is not None and isinstance(value, str) and kind in (NUMBER, NUMBERS):
        written = _as_yaml(value)
        hint = f" (a word to YAML: {'leave out the quotes' if written == value else f'write {written}'})"
    return f"{str(value)[:40]!r}" + hint


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | float):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _as_yaml(text: str) -> str:
    """A number as YAML 1.1 knows it: a digit and a dot before an exponent, and a sign in it."""
    mantissa, mark, exponent = text.strip().lower().partition("e")
    if not re.fullmatch(r"[-+]?[0-9]+\.[0-9]*" if mark else r"[-+]?[0-9]+(\.[0-9]*)?", mantissa):
        mantissa = str(float(mantissa))
    return f"{mantissa}{mark}{'+' if exponent[:1].isdigit() else ''}{exponent}"


def _read_yaml(path: str | Path) -> Any:
    """The content of a YAML file in which no key is given twice: YAML itself would take the last one."""
    try:
        import yaml
    except ImportError as error:
        raise UsageError("training needs PyYAML; run: pip install 'taskcodec[train]'") from error
    try:
        text = Path(path).read_text(encoding="utf-8")
        twice = _given_twice(yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except OSError as error:
        raise unreadable(path, error) from error
    except RecursionError as error:
        raise SourceError(f"{path}: not a configuration (nested too deeply)") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no text, no date, a number of thousands of digits
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        reason = "not text" if isinstance(error, UnicodeDecodeError) else getattr(error, "problem", None) or str(error)
        raise SourceError(f"{path}: not YAML{where} ({reason})") from error
    if twice is not None:
        key, first, again = twice
        raise UsageError(f"{path}: {key}: given twice, in line {first} and in line {again}")
    return content


def _given_twice(root: Any) -> tuple[str, int, int] | None:
    """The first key that a mapping among YAML's nodes has twice, and its two lines."""
    waiting, seen = [("", root)], set[int]()
    while waiting:
        where, node = waiting.pop(0)
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue  # an anchor may be used many times, even inside itself
        seen.add(id(node))
        lines: dict[tuple[str, str], int] = {}
        for item in node.value:
            key, value = item if isinstance(item, tuple) else (None, item)
            name = where if key is None else f"{where}.{key.value}".lstrip(".")
            if key is not None and isinstance(key.value, str):
                line, same = key.start_mark.line + 1, (key.tag, key.value)
                if same in lines:
                    return name, lines[same], line
                lines[same] = line
            waiting.append((name, value))
    return None

"""The configuration of a codec that is overfitted to each picture: of the weights that pictures start from.

data:        what to train on           source, samples, side, crop, seed
overfitted:  what is lowered, and sizes  task, predictor, error, levels, width, context, finest
beta:        what a bit a pixel costs; one number, or a list: a codec for each
training:    how                        steps, batch, learning_rate, seed
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskcodec.engines.train.keys import NUMBER, NUMBERS, SECTION, WHOLE, WORD, check_keys, said_of
from taskcodec.engines.train.pictures.config import PREDICTORS, PicturesChoice, check_predictor, read_pictures
from taskcodec.fitting.gradient.overfitted.recipe import OverfittedRecipe
from taskcodec.fitting.gradient.recipe import Schedule

_TOP = {"data": SECTION, "overfitted": SECTION, "beta": NUMBERS, "training": SECTION}
_SIZES = {"levels": WHOLE, "width": WHOLE, "context": WHOLE, "finest": WHOLE}
_LAYER = {"task": WORD, "predictor": WORD, "error": NUMBER, **_SIZES}
_TRAINING = {"steps": WHOLE, "batch": WHOLE, "learning_rate": NUMBER, "seed": WHOLE}
RATE = 0.01
"""Of learning, where none is said."""


@dataclass(frozen=True)
class OverfittedConfig:
    """A checked configuration; `recipes` has one for each beta."""

    name: str
    data: PicturesChoice
    recipes: tuple[OverfittedRecipe, ...]
    schedule: Schedule
    log: tuple[str, ...] = ()


def read_overfitted(name: str, content: Mapping[str, Any], seed: int | None) -> OverfittedConfig:
    """Check the content of a file. Raises as `taskcodec.engines.train.config.read_config`."""
    check_keys(name, "", content, _TOP, needed=tuple(_TOP))
    check_keys(name, "training", content["training"], _TRAINING, needed=("steps",))
    training = {"learning_rate": RATE, **content["training"]}
    choice, schedule = read_pictures(name, {**content, "training": training}, seed)
    check_keys(name, "overfitted", content["overfitted"], _LAYER, needed=())
    betas = content["beta"] if isinstance(content["beta"], list) else [content["beta"]]
    with said_of(f"{name}: overfitted."):
        check_predictor("predictor", content["overfitted"].get("predictor"), PREDICTORS)
        recipes = tuple(OverfittedRecipe(float(beta), **content["overfitted"], crop=choice.crop) for beta in betas)
    return OverfittedConfig(name, choice, recipes, schedule)

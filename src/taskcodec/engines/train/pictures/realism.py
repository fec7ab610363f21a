"""The configuration of a second synthesis on a finished codec of pictures, and its training.

data:      what to train on           source, samples, side, crop, seed
codec:     the finished codec's file, with its analysis
realism:   LAYER: {noise, synthesis, windows, draws, judge}
training:  how                        steps, batch, learning_rate, ...
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskcodec.engines.train.checks import check_log, check_source
from taskcodec.engines.train.keys import NUMBER, SECTION, WHOLE, WHOLES, WORD, WORDS, check_keys, said_of
from taskcodec.engines.train.pictures.config import PicturesChoice, network_of, read_pictures
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.realism_recipe import JudgeChoice, RealismRecipe
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.transforms.spec import check_name

_TOP = {"data": SECTION, "codec": WORD, "realism": SECTION, "training": SECTION, "log": WORDS}
_LAYER = {"noise": WHOLE, "synthesis": SECTION, "windows": WHOLES, "draws": WHOLE, "judge": SECTION}
_JUDGE = {"backbone": WORD, "weight": NUMBER, "enlarge": WHOLE}


@dataclass(frozen=True)
class RealismConfig:
    """A checked configuration; `recipes` has one."""

    name: str
    data: PicturesChoice
    codec: str
    recipes: tuple[RealismRecipe, ...]
    schedule: Schedule
    log: tuple[str, ...] = ("csv",)


def read_realism(name: str, content: Mapping[str, Any], seed: int | None) -> RealismConfig:
    """Check the content of a file. Raises as `taskcodec.engines.train.config.read_config`."""
    if "beta" in content:
        raise UsageError(f"{name}: beta: has no effect on a second synthesis, which takes no bits; leave it out")
    check_keys(name, "", content, _TOP, needed=tuple(_TOP)[:-1])
    if len(content["realism"]) != 1:
        raise UsageError(f"{name}: realism: expected one layer, found {len(content['realism'])}")
    choice, schedule = read_pictures(name, content, seed)
    ((layer, section),) = content["realism"].items()
    where = f"realism.{layer}"
    if not isinstance(section, dict):
        raise UsageError(f"{name}: {where}: expected {SECTION}")
    check_keys(name, where, section, _LAYER, needed=())
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in section.items()}
    if "synthesis" in section:
        plain["synthesis"] = network_of(name, f"{where}.synthesis", section["synthesis"])
    if "judge" in section:
        check_keys(name, f"{where}.judge", section["judge"], _JUDGE, needed=("backbone",))
    with said_of(f"{name}: {where}."):
        if "judge" in section:
            plain["judge"] = JudgeChoice(**section["judge"])
            with said_of("judge.backbone: "):
                check_name(plain["judge"].backbone)
        recipe = RealismRecipe(str(layer), **plain, crop=choice.crop)
    log = tuple(content.get("log", ("csv",)))
    with said_of(f"{name}: "):
        check_log(log)
        check_source("codec", content["codec"])
    return RealismConfig(name, choice, content["codec"], (recipe,), schedule, log)

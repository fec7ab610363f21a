"""A training from its configuration: one codec file for each beta, one after the other or side by side."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from taskcodec.atomic import replacing
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.outputs import check_output, held
from taskcodec.engines.train.config import TrainConfig
from taskcodec.engines.train.left_out import LeftOut
from taskcodec.engines.train.pictures.config import LayersConfig
from taskcodec.engines.train.pictures.overfitted import OverfittedConfig
from taskcodec.engines.train.pictures.realism import RealismConfig
from taskcodec.errors import StorageError, UsageError
from taskcodec.fitting.gradient.recipe import LAST

if TYPE_CHECKING:
    from taskcodec.fitting.gradient.training import Trained, Work

Config: TypeAlias = TrainConfig | LayersConfig | RealismConfig | OverfittedConfig


@dataclass(frozen=True)
class TrainOptions:
    """How a configuration is trained.

    Attributes:
        resume: go on from the checkpoints that lie there.
        overwrite: begin anew where codecs, or trainings that were begun, lie there.
        seconds: stop each training at the first checkpoint after so long.
        jobs: trainings side by side; None for all of them where there is a GPU, one otherwise, or on several devices.
    """

    resume: bool = False
    overwrite: bool = False
    seconds: float | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Point:
    """What became of one beta.

    Attributes:
        beta: as in the recipe; None of a second synthesis, which takes no bits.
        codec: file that was written, or would have been.
        step, steps: gradient steps done, and in all.
        trained_bits: the entropy model's bits for rounded latents; None where the training was stopped, or where a
            codec that is finished did not say.
        fingerprint: of the codec, likewise.
        left_out: samples that could not be read, where there were any.
    """

    beta: float | None
    codec: str
    step: int
    steps: int
    trained_bits: float | None = None
    fingerprint: str | None = None
    left_out: LeftOut | None = None


def output_of(output: Path, beta: float | None, several: bool) -> Path:
    """my.codec for one beta; my-beta0.1.codec for each of several."""
    return output.with_name(f"{output.stem}-beta{beta:g}{output.suffix}") if several else output


def work_of(output: Path) -> Path:
    """The folder of a codec's checkpoints and logs: beside it."""
    return output.with_name(f"{output.name}.training")


def is_first_process() -> bool:
    """False in the further processes of DDP, which Lightning starts with the command of the first."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def train_all(
    config: Config, output: Path, options: TrainOptions | None = None, progress: Progress | None = None
) -> list[Point]:
    """Train the codecs of a configuration.

    Args:
        config: as read.
        output: the codec's file; of several betas each has its own (`output_of`).
        options: how.
        progress: called with (steps done, steps in all) where one runs at a time.

    Raises:
        UsageError: something was begun there and `resume` is not given; or what the configuration says does not fit.
        StorageError: the codec's file exists, or cannot be written, or another process trains it.
    """
    import torch

    options = options or TrainOptions()
    resume, overwrite, jobs = options.resume, options.overwrite, options.jobs
    several = len(config.recipes) > 1
    outputs = [output_of(output, recipe.beta, several) for recipe in config.recipes]
    if len(set(outputs)) < len(outputs):
        raise UsageError(f"{config.name}: beta: one of them is given twice")
    if resume and overwrite:
        raise UsageError("--resume goes on with a training and --overwrite begins it anew: give one of them")
    devices = config.schedule.devices
    if devices > 1 and (jobs or 1) > 1:
        raise UsageError(f"--jobs {jobs}: a training on {devices} devices runs alone: leave --jobs out, or the devices")
    if is_first_process():
        for path in outputs:
            _check_place(path, _place_of(config), resume, overwrite)
    usual = len(outputs) if torch.cuda.is_available() and devices == 1 else 1
    side_by_side = min(jobs or usual, len(outputs))
    if side_by_side == 1:
        return [_one(config, k, path, options, progress) for k, path in enumerate(outputs)]
    with ProcessPoolExecutor(side_by_side, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(_one, config, k, path, options) for k, path in enumerate(outputs)]
        return [future.result() for future in running]


def _place_of(config: Config) -> str:
    """Where what is trained on lies."""
    return config.data.source if isinstance(config, TrainConfig) else config.data.place


def _check_place(output: Path, source: str, resume: bool, overwrite: bool) -> None:
    """Refuse, before anything is trained, to write where it cannot be done or where something lies."""
    check_output(source, output, "codec")
    begun = any(work_of(output).rglob(LAST))
    if overwrite or (resume and begun):
        return
    if begun:
        raise UsageError(
            f"{work_of(output)}: a training was begun there; go on (--resume), begin anew (--overwrite) or name "
            "another output"
        )
    if output.exists():
        raise StorageError(f"{output}: exists; replace it (--overwrite) or name another output")


def _one(config: Config, number: int, output: Path, options: TrainOptions, progress: Progress | None = None) -> Point:
    """Train one codec, alone in its folder."""
    if not is_first_process():  # of DDP: the first one holds the folder for all, and says what is wrong for all
        try:
            return _trained(config, number, output, options, progress)
        except UsageError:  # as of a training that diverged: all processes find it at the same step
            raise SystemExit(0) from None
    with held(work_of(output), "another process trains this codec"):
        return _trained(config, number, output, options, progress)


def _section(message: str) -> str:
    """Where in the configuration to look for what training found wrong."""
    if message.startswith(("diverged", "training.", "views:", "layers.", "realism.", "below:")):
        return ""
    return "training." if message.startswith(("accelerator:", "strategy:", "devices:")) else "model: "


def _trained(config: Config, number: int, output: Path, options: TrainOptions, progress: Progress | None) -> Point:
    from taskcodec.fitting.gradient.training import Work

    work = Work(work_of(output), options.resume, options.seconds, config.log)
    try:
        if not isinstance(config, TrainConfig):
            from taskcodec.engines.train.pictures.run import run_pictures

            trained, left_out = run_pictures(config, number, work, progress)
        else:
            trained, left_out = _of_recipe(config, number, work, progress)
    except UsageError as error:
        if str(error).startswith(config.name):
            raise
        raise UsageError(f"{config.name}: {_section(str(error))}{error}") from error
    point = Point(config.recipes[number].beta, str(output), trained.step, trained.steps, left_out=left_out)
    if trained.codec is None:
        return point
    with replacing(output) as temporary:
        temporary.write_bytes(trained.codec.to_bytes())
    bits = trained.codec.provenance.get("trained_bits")
    return replace(point, trained_bits=None if bits is None else float(bits), fingerprint=trained.codec.fingerprint)


def _of_recipe(
    config: TrainConfig, number: int, work: "Work", progress: Progress | None
) -> "tuple[Trained, LeftOut | None]":
    from taskcodec.engines.train.data import training_set
    from taskcodec.fitting.gradient.training import train

    provenance: dict[str, Any] = {
        "augmentations": config.augmentations,
        "jitter": config.jitter,
        "target": config.data.target,
        "source": Path(config.data.source).name,
    }
    data, left_out = training_set(config)
    recipe = config.recipes[number]
    return train(data, recipe, config.schedule, work, provenance=provenance, progress=progress), left_out

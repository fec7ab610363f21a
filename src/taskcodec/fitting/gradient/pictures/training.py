"""Training of layers of pictures: all at once, or each on those below it, which are finished and stay as they are."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.checkpoints import flat
from taskcodec.fitting.gradient.pictures.compressor import Fixed, LayersCompressor
from taskcodec.fitting.gradient.pictures.data import PictureSet, loader
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.recipe import LAST, Schedule
from taskcodec.fitting.gradient.training import Progress, Samples, Trained, Work, check_samples, run, seeded


def train_layers(
    data: PictureSet,
    recipe: LayersRecipe,
    schedule: Schedule,
    work: Work | None = None,
    fixed: Fixed | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a codec of pictures.

    Args:
        data: what to train on.
        recipe: which layers.
        schedule: how; its steps are those of each stage, and layers that are not trained jointly are a stage each.
        work: where checkpoints and logs are kept, in a folder a layer where there are several stages.
        fixed: what lies below, and frozen predictors.
        provenance: free JSON, recorded in the codec.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: layers that do not go together or do not fit the data, or a training that diverged.
        MismatchError, CorruptFileError, ProcessError, SystemExit: as `taskcodec.fitting.gradient.training.train`.
    """
    fixed = fixed or Fixed()
    check_samples(len(data.pictures), schedule)
    stages = recipe.stages()
    if len(stages) > 1 and schedule.devices > 1:
        raise UsageError("devices: layers that are trained one after the other take 1; or set joint, or name below")
    if work is not None and not work.resume:
        for old in work.folder.rglob(LAST):
            old.unlink()  # or a later --resume would take up another training's
    stop_at = None if work is None or work.seconds is None else time.monotonic() + work.seconds
    total, trained = schedule.steps * len(stages), Trained(None, 0, schedule.steps)
    job = _Job(data, recipe, schedule, dict(provenance or {}))
    for number, stage in enumerate(stages):
        done, own = number * schedule.steps, work
        if work is not None and len(stages) > 1:
            left = None if stop_at is None else max(0.0, stop_at - time.monotonic())
            own = replace(work, folder=work.folder / stage[0].name, seconds=left)
        report = None if progress is None else partial(_report, progress, done, total)
        trained = job.stage(stage, fixed, own, report)
        if trained.codec is None:
            return Trained(None, done + trained.step, total)
        fixed = replace(fixed, below=trained.codec)
    return Trained(trained.codec, total, total)


def _report(progress: Progress, before: int, total: int, step: int, steps: int) -> None:
    progress(before + step, total)


@dataclass(frozen=True, eq=False)
class _Job:
    """What all stages have in common."""

    data: PictureSet
    recipe: LayersRecipe
    schedule: Schedule
    provenance: dict[str, Any]

    def stage(
        self, layers: tuple[LayerChoice, ...], fixed: Fixed, work: Work | None, progress: Progress | None
    ) -> Trained:
        """Train these layers on what is fixed."""
        with seeded(self.schedule.seed, -1, 0):
            compressor = LayersCompressor(layers, self.recipe, self.data, fixed)
        described = described_stage(layers, self.recipe, self.schedule, fixed.below)
        identity: dict[str, Any] = {}
        if work is not None:
            seen = {name: _hash(module) for name, module in fixed.predictors.items()}
            identity = flat({**self.provenance, **described, "data": self.data.identity(), "predictors": seen})
        samples = Samples(len(self.data.pictures), partial(loader, self.data, self.recipe.crop), identity)
        earlier = [] if fixed.below is None else fixed.below.provenance.get("trained", [])
        record = {
            "method": "layers of pictures",
            "loss": "weight * distortion + beta * bits a pixel + preview * squared error",
            "trained": [*earlier, described],
            "samples": len(self.data.pictures),
            **self.provenance,
        }
        return run(compressor, samples, self.schedule, work, record, progress)


def described_stage(
    layers: Sequence[LayerChoice], recipe: LayersRecipe, schedule: Schedule, below: Codec | None = None
) -> dict[str, Any]:
    """What a codec records, under "trained", of a stage: these layers, on a codec that lies below."""
    return {
        "layers": {layer.name: asdict(layer) for layer in layers},
        "beta": recipe.beta,
        "joint": recipe.joint,
        "crop": recipe.crop,
        "below": None if below is None else below.fingerprint,
        "schedule": schedule.described(),
    }


def _hash(module: nn.Module) -> str:
    """Of all weights of a network."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(torch.as_tensor(value).detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

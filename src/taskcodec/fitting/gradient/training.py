"""Gradient training on Lightning: a recipe, a schedule and data give a `Codec`.

    >>> import torch
    >>> from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
    >>> from taskcodec.fitting.gradient.training import TrainingSet, train
    >>> x = torch.randn(1000, 4)
    >>> mlp = NetworkChoice("mlp", {"hidden": [16]})
    >>> recipe = Recipe("VC", beta=0.1, columns=2, analysis=mlp, synthesis=mlp)
    >>> codec = train(TrainingSet(x), recipe, Schedule(steps=5, batch=64)).codec
    >>> codec.decompress(codec.compress(x[0].numpy())).shape
    (2,)

All chance in a step (views, noise) follows from the seed and the step's number, and so does the order of the samples:
a training that was killed and resumed takes the path it would have taken.
"""

import logging
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from taskcodec.codec import Codec
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.fitting.gradient.checkpoints import KEY, described, read_step
from taskcodec.fitting.gradient.compressor import Compressor, TrainingSet
from taskcodec.fitting.gradient.data import Steps, loader
from taskcodec.fitting.gradient.recipe import LAST, Recipe, Schedule
from taskcodec.fitting.gradient.trainable import Trainable
from taskcodec.transforms.torchvision import has_torchvision, import_torchvision
from taskcodec.words import counted

if has_torchvision():
    import_torchvision()  # Lightning imports it by way of torchmetrics, and stops where it does not fit torch
try:
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import Callback, Checkpoint

    from taskcodec.fitting.gradient.log import is_first, loggers_of
    from taskcodec.fitting.gradient.machine import check_machine
    from taskcodec.fitting.gradient.processes import Together, naming_lost_processes
except ImportError as fault:
    raise UsageError("training needs Lightning; run: pip install 'taskcodec[train]'") from fault

Progress = Callable[[int, int], None]
LOG_EVERY = 20
"""Steps between lines of the log."""


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training came to.

    Attributes:
        codec: None where it was stopped before its last step (or on all but the first of several processes).
        step: gradient steps done.
        steps: gradient steps in all.
    """

    codec: Codec | None
    step: int
    steps: int


@dataclass(frozen=True, eq=False)
class Samples:
    """What a training sees.

    Attributes:
        count: of samples.
        loader: the batches of the steps that it is told.
        identity: what a checkpoint must have in common with this training (`described`); may be empty without `Work`.
    """

    count: int
    loader: Callable[[Steps], DataLoader[Any]]
    identity: Mapping[str, Any]


@dataclass(frozen=True)
class Work:
    """Where a training keeps checkpoints and logs, and whether it goes on from them.

    Attributes:
        folder: made where it is not there.
        resume: go on from the folder's last checkpoint, where there is one; without it, one that lies there is removed.
        seconds: stop after the first checkpoint that lies so far off; `resume` goes on from there.
        loggers: "csv" (metrics.csv) and "tensorboard".
    """

    folder: Path
    resume: bool = False
    seconds: float | None = None
    loggers: tuple[str, ...] = ("csv",)


class _Module(pl.LightningModule):
    """The compressor as Lightning drives it."""

    def __init__(self, compressor: Trainable, schedule: Schedule, described: Mapping[str, Any]) -> None:
        super().__init__()
        self.compressor, self.schedule, self.described = compressor, schedule, described

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        self.compressor.price = self.schedule.price(self.global_step)
        with seeded(self.schedule.seed, self.global_step, self.global_rank):
            losses = self.compressor(*batch)
        # Of all processes: where one alone left, the others would wait for it.
        loss = self.trainer.strategy.reduce(losses.loss.detach(), reduce_op="mean")
        if not torch.isfinite(loss):
            raise self.diverged(f"the loss is {float(loss)}")
        values = {name: value.detach() for name, value in losses._asdict().items()}
        values |= {name: value.detach() for name, value in self.compressor.logged().items()}
        self.log_dict(values)
        return torch.as_tensor(losses.loss)

    def configure_optimizers(self) -> Any:
        entropy = list(self.compressor.entropy_parameters())
        ours = {id(parameter) for parameter in entropy}
        learning = [parameter for parameter in self.compressor.parameters() if parameter.requires_grad]
        networks = [parameter for parameter in learning if id(parameter) not in ours]
        groups = [
            {"params": networks, "lr": self.schedule.learning_rate},
            {"params": entropy, "lr": self.schedule.entropy_learning_rate},
        ]
        # Fused is quicker on a CPU; Lightning clips no gradient of a fused optimizer in mixed precision.
        fused, eps = self.schedule.precision == "32-true", self.compressor.least_gradient
        optimizer = torch.optim.Adam(groups, betas=self.compressor.memory, eps=eps, fused=fused)
        rates = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def diverged(self, found: str) -> UsageError:
        """What to raise where a training has left the finite numbers: none of its later steps would come back."""
        rate, step = self.schedule.learning_rate, self.global_step
        return UsageError(f"diverged: {found} at step {step}, with learning_rate {rate:g}: take a smaller one")

    def check_weights(self) -> None:
        """Raise UsageError where a weight is no finite number."""
        if not all(bool(torch.isfinite(value).all()) for value in self.compressor.parameters()):
            raise self.diverged("a weight is not finite")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = dict(self.described)


class _Keeper(Checkpoint):
    """At each end of a stretch: a checkpoint, written whole before it takes the old one's name; then the clock.

    The first process's clock decides for all of them: two clocks never stop at the same moment.
    """

    def __init__(self, folder: Path, seconds: float | None) -> None:
        self.folder, self.stop_at = folder, None if seconds is None else time.monotonic() + seconds

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        pl_module.check_weights()  # the last sound checkpoint stays
        partial = self.folder / f"{LAST}.partial"
        trainer.save_checkpoint(partial)
        if trainer.is_global_zero:
            os.replace(partial, self.folder / LAST)
            for logger in trainer.loggers:
                logger.save()  # who goes on from here finds the log up to here
        late = self.stop_at is not None and time.monotonic() > self.stop_at
        trainer.should_stop = trainer.strategy.broadcast(late)


class _Reporter(Callback):
    """Tells how far it is."""

    def __init__(self, report: Progress, steps: int) -> None:
        self.report, self.steps = report, steps

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        self.report(trainer.global_step, self.steps)


class _Data(pl.LightningDataModule):
    """The samples, in the order that seed and step say, a share of each batch for each process."""

    def __init__(self, samples: Samples, schedule: Schedule) -> None:
        super().__init__()
        self.samples, self.schedule = samples, schedule

    def train_dataloader(self) -> Any:
        assert self.trainer is not None
        trainer, s = self.trainer, self.schedule
        share = (trainer.global_rank, trainer.world_size)
        steps = Steps(
            self.samples.count, s.batch, s.seed, s.steps, s.checkpoint_every, share, lambda: trainer.global_step
        )
        return self.samples.loader(steps)


def train(
    data: TrainingSet,
    recipe: Recipe,
    schedule: Schedule,
    work: Work | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a codec.

    Args:
        data: what to train on.
        recipe: what to train.
        schedule: how.
        work: where checkpoints and logs are kept; None keeps neither.
        provenance: free JSON, recorded in the codec beside what was trained. What the data do not show, such as the
            name of the views, belongs here: `resume` goes on only where it is the same.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: a recipe that does not fit the data, a machine that does not fit the schedule, or a training that
            diverged.
        MismatchError: a checkpoint of another training.
        CorruptFileError: a checkpoint that cannot be read.
        ProcessError: one of several processes was lost; the last checkpoint stays.
        SystemExit: SIGTERM came, code 143; the last checkpoint stays.
    """
    check_samples(len(data.samples), schedule)
    with seeded(schedule.seed, -1, 0):
        compressor = Compressor(recipe, data)
    identity = {} if work is None else described(data, recipe, schedule, provenance)
    record = {
        "method": recipe.objective,
        "beta": recipe.beta,
        "loss": "distortion + beta * rate_bits",
        "entropy_model": recipe.entropy_model,
        "samples": len(data.samples),
        "schedule": schedule.described(),
    }
    samples = Samples(len(data.samples), partial(loader, data.samples, data.labels), identity)
    return run(compressor, samples, schedule, work, {**record, **(provenance or {})}, progress)


def check_samples(count: int, schedule: Schedule) -> None:
    """Raise UsageError where there are too few samples, or a machine does not fit the schedule."""
    if count < 2:
        raise UsageError(f"training needs at least 2 samples, found {count}")
    if schedule.batch > count:
        raise UsageError(f"training.batch: {schedule.batch} is more than the {counted(count, 'sample')}")
    check_machine(schedule)


def run(
    compressor: Trainable,
    samples: Samples,
    schedule: Schedule,
    work: Work | None,
    provenance: Mapping[str, Any],
    progress: Progress | None,
) -> Trained:
    """Train whatever it is: the loop, its checkpoints and its log. Raises as `train` does.

    Args:
        compressor: with fresh weights.
        samples: what it sees.
        schedule, work, progress: as of `train`.
        provenance: recorded in the codec.
    """
    identity = samples.identity
    module = _Module(compressor, schedule, identity)
    callbacks: list[Callback] = [Together()]
    if progress is not None:
        callbacks.append(_Reporter(progress, schedule.steps))
    if work is not None:
        work.folder.mkdir(parents=True, exist_ok=True)
        callbacks.append(_Keeper(work.folder, work.seconds))
    start = work.folder / LAST if work is not None and work.resume and (work.folder / LAST).exists() else None
    done = 0 if start is None else read_step(start, identity, module.state_dict())
    if work is not None and start is None and is_first():
        (work.folder / LAST).unlink(missing_ok=True)  # or a later --resume would take up the old training
    with _quiet(), naming_lost_processes():
        trainer = pl.Trainer(
            accelerator=schedule.accelerator,
            devices=schedule.devices,
            strategy="ddp" if schedule.devices > 1 or schedule.strategy == "ddp" else "auto",
            precision=schedule.precision,  # type: ignore[arg-type]
            gradient_clip_val=schedule.clip or None,
            max_steps=schedule.steps,
            max_epochs=-1,
            callbacks=callbacks,
            logger=[] if work is None or done >= schedule.steps else loggers_of(work.folder, work.loggers, done),
            log_every_n_steps=LOG_EVERY,
            enable_checkpointing=work is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        with _told_to_stop():
            trainer.fit(module, datamodule=_Data(samples, schedule), ckpt_path=start, weights_only=True)
    step = trainer.global_step
    if step < schedule.steps or not trainer.is_global_zero:
        return Trained(None, step, schedule.steps)
    module.check_weights()
    try:
        codec = compressor.cpu().to_codec(provenance)
    except CorruptFileError as error:  # finite, but beyond what tables can hold
        raise module.diverged(f"no codec can be made of it ({error})") from error
    return Trained(codec, step, schedule.steps)


@contextmanager
def seeded(seed: int, step: int, rank: int) -> Iterator[None]:
    """Torch's chance follows from these three numbers inside, and goes on as before outside."""
    value = int(np.random.SeedSequence([seed, step + 1, rank]).generate_state(1, np.uint64)[0] >> 1)
    with torch.random.fork_rng():
        torch.manual_seed(value)
        yield


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """Lightning leaves with code 1 on Ctrl-C, whatever its caller does about it: the first process gives it back."""
    ctrl_c = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not is_first() or not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, ctrl_c)
        raise KeyboardInterrupt from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice is on data loaders with workers, folders that exist and the like: not for who runs this."""
    loud = [
        logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities")
    ]
    levels = [logger.level for logger in loud]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*all_gather is deprecated")  # what follows it, torch 2.4 has not
        warnings.filterwarnings("ignore", message=".*(num_workers|Checkpoint directory|experiment logs directory).*")
        for logger in loud:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loud, levels, strict=True):
                logger.setLevel(level)

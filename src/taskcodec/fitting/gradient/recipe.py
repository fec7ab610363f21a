"""What a training is to do, as data: no torch here, so that a configuration is checked before anything is loaded."""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from taskcodec.errors import UsageError, check_one_of, shortened
from taskcodec.transforms.networks.carried import MAX_SIZE, check_size

Objective = Literal["VC", "VIC", "BINCE", "feature_l1", "feature_l2", "supervised"]
OBJECTIVES: tuple[Objective, ...] = ("VC", "VIC", "BINCE", "feature_l1", "feature_l2", "supervised")
RECONSTRUCTING = ("VC", "VIC", "feature_l1", "feature_l2")
"""Objectives that need a synthesis network."""
Positive = Literal["view", "sample"]
POSITIVES: tuple[Positive, ...] = ("view", "sample")
Relaxation = Literal["noise", "straight-through"]
RELAXATIONS: tuple[Relaxation, ...] = ("noise", "straight-through")
ENTROPY_MODELS = ("factorized", "hyperprior", "mean_scale_hyperprior", "autoregressive")
LAST = "last.ckpt"
"""A training's checkpoint, in its folder."""
PRECISIONS = ("32-true", "bf16-mixed")
STRATEGIES = ("auto", "ddp", "single_device")
"""Of Lightning's, those whose first process has the whole weights at the end: forks and spawns keep what they learn."""
FIRST_PRICE = 1e-3
"""Of beta, where its rise begins. It is not nothing: the entropy model has to follow the latent from the start."""
LARGEST_NUMBER = sys.float_info.max
"""What no float holds, which whole numbers may be, is refused like infinity."""
LARGEST_QUEUE = 1 << 20
"""More candidates than a training has use for: their scores alone fill 8 MB for each sample of a batch."""


@dataclass(frozen=True)
class NetworkChoice:
    """An architecture of `taskcodec.transforms.networks.build` and those of its sizes that the data do not settle."""

    name: str
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key, value in self.sizes.items():
            check_size(key, value)


@dataclass(frozen=True)
class Recipe:
    """What is trained: loss = distortion + beta * rate_bits.

    Attributes:
        objective: the distortion.
        beta: what one bit of rate costs, in units of the distortion (bits for BINCE and supervised, squared error for
            VC and VIC). Larger beta, smaller files.
        columns: k of the latent; columns that are not worth their bits fall to (nearly) none.
        analysis: g_a.
        synthesis: g_s; for VC, VIC, features, and BINCE against samples.
        entropy_model: of the latent.
        relaxation: "noise" or "straight-through", what g_s and BINCE see of the latent in training.
        projection: hidden and outer width of BINCE's projection.
        queue: earlier samples that BINCE keeps as further candidates, at most 2**20.
        positive: what BINCE compares a view with: another "view" of its sample, by a projection, or the "sample"
            without augmentation, by what g_s makes of the view's code.
    """

    objective: Objective
    beta: float
    columns: int
    analysis: NetworkChoice
    synthesis: NetworkChoice | None = None
    entropy_model: str = "factorized"
    relaxation: Relaxation = "noise"
    projection: tuple[int, int] = (256, 64)
    queue: int = 0
    positive: Positive = "view"

    def __post_init__(self) -> None:
        check_one_of("objective", self.objective, OBJECTIVES)
        check_one_of("entropy_model", self.entropy_model, ENTROPY_MODELS)
        check_one_of("relaxation", self.relaxation, RELAXATIONS)
        check_one_of("positive", self.positive, POSITIVES)
        if not 0 < self.beta <= LARGEST_NUMBER:
            raise UsageError(f"beta must be a positive number, found {shortened(self.beta)}")
        if not 1 <= self.columns <= MAX_SIZE:
            raise UsageError(f"columns must be from 1 to {MAX_SIZE}, found {shortened(self.columns)}")
        if not all(1 <= width <= MAX_SIZE for width in self.projection):
            raise UsageError(f"projection must be widths from 1 to {MAX_SIZE}, found {shortened(self.projection)}")
        if not 0 <= self.queue <= LARGEST_QUEUE:
            raise UsageError(f"queue must be from 0 to {LARGEST_QUEUE}, found {shortened(self.queue)}")
        against_sample = self.objective == "BINCE" and self.positive == "sample"
        if (self.synthesis is not None) != (self.objective in RECONSTRUCTING or against_sample):
            needs = "needs a synthesis network" if self.synthesis is None else "has no use for a synthesis network"
            whose = f"objective {self.objective}" + f" with positive: {self.positive}" * (self.objective == "BINCE")
            raise UsageError(f"{whose} {needs}")

    def described(self) -> dict[str, Any]:
        """Its fields, as checkpoints record them: one that came later is left out where it is as before, so that a
        training of before goes on."""
        return {key: value for key, value in asdict(self).items() if key != "positive" or value != "view"}


@dataclass(frozen=True)
class Schedule:
    """How it is trained.

    Attributes:
        steps: gradient steps in all.
        batch: samples of a step, over all devices.
        learning_rate: of the networks (Adam); rises over `warmup` steps, then falls along a cosine to nothing.
        entropy_learning_rate: of the entropy model, likewise.
        warmup: steps.
        rate_rise: steps over which the price of a bit rises from a thousandth of beta to beta, evenly in its logarithm;
            0 asks the whole price from the first step on, and a column that is given up early seldom comes back.
        clip: the gradient's norm is cut to this; 0 leaves it.
        precision: "32-true" or "bf16-mixed" (networks only: rates are always float32).
        checkpoint_every: steps between checkpoints; what a kill can cost.
        devices: processes, each with a share of the batch (DDP).
        strategy: Lightning's name of how the devices work together: "ddp", which "auto" takes for several, or
            "single_device".
        accelerator: "auto", "cpu" or "cuda".
        seed: of initial weights, order, augmentations and noise.
    """

    steps: int
    batch: int = 256
    learning_rate: float = 1e-3
    entropy_learning_rate: float = 1e-2
    warmup: int = 100
    rate_rise: int = 0
    clip: float = 1.0
    precision: str = "32-true"
    checkpoint_every: int = 200
    devices: int = 1
    strategy: str = "auto"
    accelerator: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every", "devices"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("learning_rate", "entropy_learning_rate"):
            if not 0 < getattr(self, name) <= LARGEST_NUMBER:
                raise UsageError(f"{name} must be a positive number, found {shortened(getattr(self, name))}")
        for name in ("warmup", "rate_rise", "clip", "seed"):
            if not 0 <= getattr(self, name) <= LARGEST_NUMBER:
                raise UsageError(f"{name} must be a number of at least 0, found {shortened(getattr(self, name))}")
        if self.rate_rise > self.steps:
            raise UsageError(f"rate_rise {self.rate_rise} is beyond {self.steps} steps: a bit would never cost beta")
        check_one_of("precision", self.precision, PRECISIONS)
        check_one_of("strategy", self.strategy, STRATEGIES)
        if self.strategy == "single_device" and self.devices > 1:
            raise UsageError(f"strategy single_device is for one device, and devices is {self.devices}: take ddp")
        if self.batch % self.devices:
            raise UsageError(f"batch {self.batch} is not a multiple of the {self.devices} devices")

    def described(self) -> dict[str, Any]:
        """Its fields, as checkpoints and codecs record them: one that came later is left out where it asks nothing, so
        that a training of before goes on."""
        return {key: value for key, value in asdict(self).items() if key != "rate_rise" or value}

    def price(self, step: int) -> float:
        """The share of beta that a bit costs at a step."""
        return FIRST_PRICE ** max(0.0, 1 - step / self.rate_rise) if self.rate_rise else 1.0

    def factor(self, step: int) -> float:
        """The share of the full learning rate at a step."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

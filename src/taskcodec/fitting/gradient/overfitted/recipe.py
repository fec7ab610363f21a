"""What a codec that is overfitted to each picture is, as data: no torch here."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from taskcodec.coding.models.overfitted.plan import FINEST, MAX_LEVELS, MAX_WIDTH, Plan
from taskcodec.errors import UsageError, check_one_of, shortened
from taskcodec.symbol_choice.pictures.goals import SEARCHED, UNCHANGED

LAYER = "picture"
"""What the layer is called."""


@dataclass(frozen=True)
class OverfittedRecipe:
    """A codec of one layer, whose packets bring their own network.

    Attributes:
        beta: what a bit a pixel costs, in units of the distortion.
        task: what is lowered: "mse" or "ms_ssim"; or one whose predictor is to say what it says of the picture itself.
        predictor: a frozen one, by name, as `taskcodec.transforms.predictors.load.load_predictor` takes it.
        error: what a mean squared error of the picture costs beside a task with a predictor.
        levels, width, context, finest: sizes of the network, as in `taskcodec.coding.models.overfitted.plan.Plan`.
        crop: side of the squares on which the weights are trained that pictures start from, in pixels.
    """

    beta: float
    task: str = "mse"
    predictor: str | None = None
    error: float = 0.0
    levels: int = 7
    width: int = 16
    context: int = 12
    finest: int = 1
    crop: int = 128

    def __post_init__(self) -> None:
        check_one_of("task", self.task, (*SEARCHED, *UNCHANGED))
        if (self.predictor is None) != (self.task in SEARCHED):
            needs = "needs a predictor" if self.predictor is None else "has no use for a predictor; leave it out"
            raise UsageError(f"task: {self.task} {needs}")
        if self.error and self.task in SEARCHED:
            raise UsageError(f"error: has no effect beside the task {self.task}; leave it out")
        if not 0 <= self.error < math.inf or not 0 < self.beta < math.inf:
            raise UsageError("beta must be a positive number, and error at least 0")
        for key, most in (("levels", MAX_LEVELS), ("width", MAX_WIDTH), ("context", MAX_WIDTH), ("crop", 1 << 12)):
            if not 1 <= getattr(self, key) <= most:
                raise UsageError(
                    f"{key}: expected a whole number from 1 to {most}, found {shortened(getattr(self, key))}"
                )
        if self.finest not in FINEST:
            raise UsageError(f"finest: expected 1, 2 or 4, found {shortened(self.finest)}")

    @property
    def plan(self) -> Plan:
        """The network's sizes."""
        return Plan(self.levels, self.width, self.context, finest=self.finest)

    def described(self) -> Mapping[str, Any]:
        """Plain JSON for the codec's record, by which searches know what to lower."""
        return {key: value for key, value in asdict(self).items() if key != "beta" and value is not None}

"""The weights that pictures start from, in a codec that is overfitted to each: one network for some pictures at once.

    crops (n, 3, side, side) --latents of each, weights of all, lowered together--> weights --> a codec

It is the search of `symbol_choice/pictures/overfitted`, over several pictures that share their weights. A picture is
then told by changes of these, few and small ones; who starts from drawn weights sends them all.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taskcodec.codec import Codec
from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.overfitted.plan import Plan
from taskcodec.entropy_models.over_space.mirrored_laplace import SCALES, overfitted_bank
from taskcodec.entropy_models.overfitted import context_bits
from taskcodec.fitting.gradient.overfitted.recipe import LAYER, OverfittedRecipe
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.fitting.gradient.training import Progress, Trained
from taskcodec.layer import Layer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.symbol_choice.pictures.goals import Goal
from taskcodec.symbol_choice.pictures.overfitted.changes import UNIT, flat
from taskcodec.symbol_choice.pictures.overfitted.descent import Descent, Weights, descend
from taskcodec.symbol_choice.pictures.overfitted.search import distortion_of, zeros
from taskcodec.transforms.overfitted.synthesis import synthesised
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.predictors.load import load_predictor

FIRST_SCALE = -1.0
"""ln(scale) that tables are chosen by before anything is learned."""


def train_start(
    data: PictureSet,
    recipe: OverfittedRecipe,
    schedule: Schedule,
    *,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train the weights that pictures start from, on `schedule.batch` crops of pictures; a codec with them.

    Of the schedule its steps, batch, learning rate and seed count. Raises UsageError where the predictor does not fit.
    """
    rng, area = np.random.default_rng(schedule.seed), recipe.crop**2
    pictures = [data.pictures[row].pixels for row in rng.permutation(len(data.pictures))[: schedule.batch]]
    crops = np.stack([_crop(pixels, recipe.crop, rng) for pixels in pictures])
    pixels = torch.from_numpy(np.moveaxis(crops, 3, 1).astype(np.float32)) / 255
    predictor = None if recipe.predictor is None else load_predictor(recipe.predictor)
    goal = Goal(recipe.task, recipe.beta, recipe.predictor, recipe.error)
    distortion = distortion_of(goal, predictor, pixels)

    def objective(latents: list[Tensor], weights: Weights) -> Tensor:
        lost = distortion(synthesised(latents, weights, (recipe.crop, recipe.crop)))
        return (lost + recipe.beta / area * context_bits(latents, weights)).mean()

    def told(step: int) -> None:
        if progress is not None:
            progress(step, schedule.steps)

    descent = Descent(schedule.steps, weight_rate=schedule.learning_rate)
    first = drawn(recipe.plan, schedule.seed)
    begun = zeros(recipe.plan, (recipe.crop, recipe.crop), len(pixels))
    latents, weights = descend(begun, first, objective, descent, schedule.seed, told)
    with torch.no_grad():
        bits = float(context_bits([torch.round(each) for each in latents], weights).mean())
    trained = {"layers": {LAYER: recipe.described()}, "beta": recipe.beta, "steps": schedule.steps}
    record = {"method": "overfitted", "trained": [trained], "trained_bits": bits, **(provenance or {})}
    return Trained(codec_of(recipe.plan, weights, record), schedule.steps, schedule.steps)


def codec_of(plan: Plan, weights: Weights, record: Mapping[str, Any]) -> Codec:
    """A codec whose pictures start from these weights, by name."""
    bank = overfitted_bank()
    tables = OverfittedTables(bank, plan, np.zeros(plan.weights, np.int64), SCALES)
    tables = OverfittedTables(bank, plan, np.round(flat(tables, weights) / UNIT).astype(np.int64), SCALES)
    empty = np.empty((0, 1), np.float32)
    layer = Layer(LAYER, OverfittedTransform(plan), WholeNumbers(1), tables, empty)
    return Codec("pictures", (layer,), provenance=record)


def drawn(plan: Plan, seed: int) -> dict[str, Tensor]:
    """Weights by name, before anything is learned: the last convolution, and means, begin at nothing."""
    generator, found = torch.Generator().manual_seed(seed), dict[str, Tensor]()
    spread = {"mix": 0.5 / math.sqrt(plan.levels), "out": 0.5 / math.sqrt(plan.width), "mix_bias": 0.1}
    spread |= {"near": 0.05, "coarser": 0.05, "answer": 0.1 / math.sqrt(plan.context), "near_bias": 0.1}
    for part in plan.parts:
        found[part.name] = spread.get(part.name, 0.0) * torch.randn(part.shape, generator=generator)
    found["out_bias"] += 0.5
    found["answer_bias"][..., 0] = FIRST_SCALE
    return found


def _crop(pixels: np.ndarray[Any, np.dtype[np.uint8]], side: int, rng: np.random.Generator) -> Any:
    """A square of (H, W, 3) at random; what a smaller picture lacks repeats its edge."""
    lacks = [max(0, side - extent) for extent in pixels.shape[:2]]
    whole = np.pad(pixels, ((0, lacks[0]), (0, lacks[1]), (0, 0)), mode="edge")
    top, left = (int(rng.integers(0, extent - side + 1)) for extent in whole.shape[:2])
    return whole[top : top + side, left : left + side]

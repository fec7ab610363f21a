"""A network and latents for one picture, found by lowering what its layer was made for.

    distortion(synthesis(latents)) + price * bits(latents, weights) --> latents, weights --> symbols

Latents and weights are found together; then latents are rounded, and weights become integers, as fine as pays.
"""

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.overfitted.plan import KINDS, Plan, Size
from taskcodec.distortions.tasks import SquaredError, StructuralSimilarity, Truth
from taskcodec.entropy_models.overfitted import context_bits
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import MAX_SYMBOL
from taskcodec.symbol_choice.pictures.goals import Goal
from taskcodec.symbol_choice.pictures.overfitted.changes import chosen, flat, named
from taskcodec.symbol_choice.pictures.overfitted.descent import Descent, Weights, descend
from taskcodec.symbol_choice.pictures.overfitted.unchanged import Distance, unchanged
from taskcodec.symbol_choice.pictures.seen import Found, Seen
from taskcodec.transforms.overfitted.synthesis import synthesised
from taskcodec.transforms.predictors.load import load_predictor

LEAST_CHANGE = 2.0**-9
"""Changes of weights are priced as if their scale were at least this."""


class OverfittedSearch:
    """A `Search` of a layer's weights and latents.

    Args:
        layer: that is overfitted to each picture.
        goal: what is lowered.
        steps: in all.
    """

    def __init__(self, layer: Layer, goal: Goal, steps: int) -> None:
        assert isinstance(layer.model, OverfittedTables)
        self._tables, self._goal, self._steps = layer.model, goal, steps
        self._predictor = None if goal.predictor is None else load_predictor(goal.predictor)

    def __call__(self, seen: Seen) -> Found:
        """What is to be sent of a picture."""
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
            return self._found(torch.from_numpy(np.ascontiguousarray(seen.pixels)))

    def _found(self, pixels: Tensor) -> Found:
        size: Size = (pixels.shape[2], pixels.shape[3])
        area, tables = size[0] * size[1], self._tables.for_size(size)
        price, seed = self._goal.bit / area, zlib.crc32(pixels.numpy().tobytes())
        distortion = distortion_of(self._goal, self._predictor, pixels)
        start = named(tables, tables.start)

        def objective(latents: list[Tensor], weights: Weights) -> Tensor:
            lost = distortion(synthesised(latents, weights, size))
            bits = context_bits(latents, weights) + _bits_of_changes(tables.plan, weights, start)
            return (lost + price * bits).sum()

        latents, weights = descend(zeros(tables.plan, size), start, objective, Descent(self._steps), seed)
        rounded = [torch.round(each).clamp(-MAX_SYMBOL, MAX_SYMBOL) for each in latents]

        def loses(kind: int, weights: Mapping[str, Tensor]) -> float:
            with torch.no_grad():
                if KINDS[kind].startswith("context"):
                    return price * float(context_bits(rounded, weights).sum())
                return float(distortion(synthesised(rounded, weights, size)).sum())

        sent = chosen(tables, flat(tables, weights), price, loses)
        whole = [each.int().numpy().ravel() for each in reversed(rounded)]
        found = np.concatenate([sent, *whole]).astype(np.int32)
        return Found(found.reshape(1, 1, -1, 1))


def zeros(plan: Plan, size: Size, count: int = 1) -> list[Tensor]:
    """Latents (count, 1, h, w) of pictures of (H, W) pixels, the finest first."""
    return [torch.zeros(count, 1, h, w) for h, w in plan.extents(size)]


def distortion_of(goal: Goal, predictor: torch.nn.Module | None, pixels: Tensor) -> Distance:
    """What decoded pictures (n, 3, H, W) are off from these, as a goal counts it."""
    truth = Truth(pixels)
    if predictor is None:
        task = SquaredError() if goal.task == "mse" else StructuralSimilarity()
        return lambda found: task.loss(found, truth)
    distance, error = unchanged(goal.task, predictor, pixels), SquaredError()
    if not goal.error:
        return distance
    return lambda found: distance(found) + goal.error * error.loss(found, truth)


def _bits_of_changes(plan: Plan, weights: Weights, start: Weights) -> Tensor:
    """About the bits of changes, but for a constant: by a Laplacian for each kind, of the scale that they have now."""
    total = torch.zeros(())
    for kind in range(len(KINDS)):
        own = [(weights[part.name] - start[part.name]).abs().flatten() for part in plan.parts if part.kind == kind]
        changes = torch.cat(own)
        total = total + changes.sum() / changes.detach().mean().clamp_min(LEAST_CHANGE) / math.log(2)
    return total

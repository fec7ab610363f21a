"""A model of contexts for pictures, trained on numbers drawn from them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from taskcodec.coding.models.context.model import ContextModel
from taskcodec.coding.models.context.neighbours import Neighbours
from taskcodec.coding.models.mixture import VALUES
from taskcodec.coding.symbol_model import Symbols
from taskcodec.entropy_models.of_bytes.context import ContextMixture, freeze

Progress = Callable[[int, int], None]
_TOLD = 50


@dataclass(frozen=True)
class ContextRecipe:
    """How a model of contexts is trained.

    Attributes:
        steps: of Adam, whose rate rises for 200 of them and then falls along a cosine.
        batch: numbers a step.
        rate: the largest.
        reach: rows above, and columns to either side, that foretell a number.
        hidden: widths of the network.
        components: of the mixture.
        seed: of the start and of what is drawn.
    """

    steps: int = 6000
    batch: int = 2048
    rate: float = 2e-3
    reach: int = 5
    hidden: tuple[int, ...] = (96, 64)
    components: int = 64
    seed: int = 0


def fit_context(
    symbols: Symbols, shape: tuple[int, int, int], recipe: ContextRecipe, progress: Progress | None = None
) -> ContextModel:
    """(n, H * W * C) bytes of pictures of a shape (H, W, C) -> a model of them."""
    near, rng = Neighbours(shape, recipe.reach), np.random.default_rng(recipe.seed)
    pictures = symbols.astype(np.uint8)
    padded = near.padded(pictures.reshape(-1, *shape))
    share = np.bincount(pictures.ravel(), minlength=VALUES) / pictures.size
    mixture = ContextMixture(near.inputs, recipe.hidden, recipe.components, share, recipe.seed)
    optimizer = torch.optim.Adam(mixture.parameters())
    for step in range(recipe.steps):
        warm, left = min(1.0, (step + 1) / 200), 0.5 * (1 + np.cos(np.pi * step / recipe.steps))
        optimizer.param_groups[0]["lr"] = float(recipe.rate * warm * (left + 0.01))
        rows = rng.integers(0, len(pictures), recipe.batch)
        places = rng.integers(0, near.columns, recipe.batch)
        context = torch.from_numpy(near.of(padded, places, rows).astype(np.float32))
        loss = mixture(context, torch.from_numpy(pictures[rows, places].astype(np.int64))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if progress is not None and ((step + 1) % _TOLD == 0 or step + 1 == recipe.steps):
            progress(step + 1, recipe.steps)
    return freeze(mixture, near)

"""A variational autoencoder of small pictures, trained and made whole numbers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from taskcodec.coding.models.latent.variational import VariationalAutoencoder
from taskcodec.coding.models.mixture import VALUES
from taskcodec.coding.symbol_model import Symbols
from taskcodec.entropy_models.of_bytes.variational import TrainableAutoencoder, VariationalSizes
from taskcodec.samples import spread_rows

Progress = Callable[[int, int], None]
LOOKED_AT = 128
"""Samples by which is judged how fast a chain of rows may grow."""
_TOLD = 50


@dataclass(frozen=True)
class VariationalRecipe:
    """How a variational autoencoder is trained.

    Attributes:
        steps: of Adam, whose rate rises for 200 of them and then falls along a cosine.
        passes: over all pictures at most: of few pictures fewer steps are taken.
        batch: numbers a step, of whole pictures.
        rate: the largest.
        warm: share of the steps in which what latents take counts for less, first for nothing: else none are used.
        clip: gradients are no longer than this, in bits a number.
        sizes: of the networks.
        seed: of the start and of what is drawn.
    """

    steps: int = 12_000
    passes: int = 200
    batch: int = 32 * 784
    rate: float = 4e-3
    warm: float = 0.1
    clip: float = 1.0
    sizes: VariationalSizes = field(default_factory=VariationalSizes)
    seed: int = 0


def fit_variational(
    symbols: Symbols, shape: tuple[int, int, int], recipe: VariationalRecipe, progress: Progress | None = None
) -> VariationalAutoencoder:
    """(n, H * W * C) bytes of pictures of a shape (H, W, C) -> a model of them."""
    pictures, rng = symbols.astype(np.uint8).reshape(-1, *shape), np.random.default_rng(recipe.seed)
    share = np.bincount(pictures.ravel(), minlength=VALUES) / pictures.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = TrainableAutoencoder(shape, recipe.sizes, share)
    generator, optimizer = torch.Generator().manual_seed(recipe.seed), torch.optim.Adam(model.parameters())
    count = max(1, round(recipe.batch / symbols.shape[1]))
    steps = min(recipe.steps, -(-recipe.passes * len(pictures) // count))
    for step in range(steps):
        warm, left = min(1.0, (step + 1) / 200), 0.5 * (1 + np.cos(np.pi * step / steps))
        optimizer.param_groups[0]["lr"] = float(recipe.rate * warm * (left + 0.01))
        batch = pictures[rng.integers(0, len(pictures), count)]
        of_bytes, of_latents = model(torch.from_numpy(batch.astype(np.float32)), generator)
        counts = min(1.0, (step + 1) / (recipe.warm * steps))
        loss = (of_bytes + counts * sum(of_latents)).mean() / symbols.shape[1]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        if progress is not None and ((step + 1) % _TOLD == 0 or step + 1 == steps):
            progress(step + 1, steps)
    return model.freeze(symbols[spread_rows(len(symbols), LOOKED_AT)])

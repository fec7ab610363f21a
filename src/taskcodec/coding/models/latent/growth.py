"""How fast a chain of rows may grow: what each leaves on the stack is what the states of others are taken from."""

import constriction
import numpy as np

from taskcodec.coding.models.latent.bits_back import MOST_GROWTH
from taskcodec.coding.models.latent.tree import LatentTree
from taskcodec.coding.symbol_model import Symbols

SAFE = 0.75
"""Rows differ: so much of what they could give is counted on."""


def growth_of(tree: LatentTree, x: Symbols) -> int:
    """How many rows may follow for each 64: by what the rows x (n, c) leave net, and what their states take from it."""
    words = np.random.default_rng(0).integers(1, 2**32, 1 << 20, dtype=np.uint32)
    posterior = tree.bits_back.posterior
    z = posterior.pop(constriction.stream.stack.AnsCoder(words), (len(x), tree.forest.latents), [x])
    taken, net = posterior.code_length(z, [x]).sum(), tree.code_length(x).sum()
    return int(np.clip(MOST_GROWTH * SAFE * net / max(taken, 1e-9), 1, MOST_GROWTH))

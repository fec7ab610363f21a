"""How fast a chain of rows may grow: what each leaves on the stack is what the states of others are taken from."""

import numpy as np

from taskcodec.coding.models.latent.bits_back import MOST_GROWTH, BitsBack
from taskcodec.coding.symbol_model import Bits, Symbols

SAFE = 0.75
"""Rows differ: so much of what they could give is counted on."""


def growth_of(model: BitsBack, x: Symbols, net: Bits) -> int:
    """How many rows may follow for each 64.

    By (n,) bits that rows x (n, c) leave net, and what their states take: those of the lowest level, since a row is
    pushed before states above are popped.
    """
    taken = model.posterior.code_length(model.drawn(x), [x]).sum()
    return int(np.clip(MOST_GROWTH * SAFE * net.sum() / max(taken, 1e-9), 1, MOST_GROWTH))

"""A Laplacian model over integer scale indices, with tables that are mirrored: `coding.models.spatial.choice` says how.

    p(symbol k | mean, index) = mass of a Laplacian of this mean and of b = e^((index - 24) / 8) on k - 1/2 ... k + 1/2

Latents that are found for one picture are mostly zero and have long tails, which Gaussians would pay for.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskcodec.coding import Tables, freeze_pmf
from taskcodec.coding.models.overfitted.context import INDEX_BITS, INDEX_START, PHASES
from taskcodec.coding.models.overfitted.model import MAX_LEVELS
from taskcodec.coding.models.spatial.choice import parts_of
from taskcodec.coding.models.tables import TABLE_BITS, join_tables

SCALES = 56
"""The largest b is 48."""
NEAR, SPARE = 11.0, 2
"""A table reaches NEAR b and SPARE symbols to either side: beyond, a count would be below 1."""
ESCAPE = 2.0**-TABLE_BITS
LEAST, MOST = -INDEX_START / 2**INDEX_BITS, (SCALES - 1 - INDEX_START) / 2**INDEX_BITS
"""ln(b) of the first index and of the last."""


def laplace_bits(y: Tensor, log_scale: Tensor, mean: Tensor | float = 0.0) -> Tensor:
    """Latents, rounded or near that -> bits, of any one shape; `log_scale` is ln(b)."""
    scale, distance = torch.exp(log_scale), (y - mean).abs()
    outside = 0.5 * (torch.exp(-(distance + 0.5) / scale) + torch.exp(-(0.5 - distance).clamp_min(0) / scale))
    tail = -(distance - 0.5) / scale + torch.log(-torch.expm1(-1 / scale)) + math.log(0.5)
    nats = torch.where(distance < 0.5, torch.log1p(-outside), tail)
    return -nats / math.log(2)


def overfitted_bank() -> Tables:
    """The bank of `OverfittedTables`: a uniform table of its head, then PHASES tables for each of SCALES scales."""
    first, pmfs = [0], [np.ones(MAX_LEVELS)]
    for index in range(SCALES):
        scale = math.exp((index - INDEX_START) / 2**INDEX_BITS)
        reach = math.ceil(NEAR * scale) + SPARE
        for part in range(PHASES):
            first.append(-reach)
            pmfs.append(_pmf(scale, part / parts_of(PHASES), reach))
    return join_tables([freeze_pmf([start], [pmf], ESCAPE) for start, pmf in zip(first, pmfs, strict=True)])


def _pmf(scale: float, mean: float, reach: int) -> npt.NDArray[np.float64]:
    """Masses of -reach ... reach, from the nearer tail, where the precision is."""
    symbols = np.arange(-reach, reach + 1) - mean
    low, high = symbols - 0.5, symbols + 0.5
    rising = [0.5 * np.exp(np.minimum(edge, 0) / scale) for edge in (low, high)]
    falling = [0.5 * np.exp(-np.maximum(edge, 0) / scale) for edge in (low, high)]
    left, right, middle = rising[1] - rising[0], falling[0] - falling[1], 1 - rising[0] - falling[1]
    return np.asarray(np.where(high <= 0, left, np.where(low >= 0, right, middle)), np.float64)

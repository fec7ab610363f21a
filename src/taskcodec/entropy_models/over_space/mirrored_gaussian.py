"""The Gaussian conditional model of `gaussian`, with tables that are mirrored: `coding.models.spatial.choice` says how.

Means are multiples of 1 / parts of a symbol; a scale has a table for each up to one half. Zero is among them: where
little is known most means are nearly that, and scales so small that a sixteenth beside it would cost a percent.
"""

import math

import numpy as np
import torch
from torch import Tensor

from taskcodec.coding import TABLE_BITS, Tables, freeze_pmf
from taskcodec.coding.models.spatial.choice import parts_of
from taskcodec.coding.models.tables import ESCAPE_BITS
from taskcodec.entropy_models.gaussian import INDEX_BITS, SCALE_FLOOR, gaussian_pmf
from taskcodec.quantization.straight_through import pass_through

NEAR, FAR, SPARE = 10.0, (6.0, 32.0), 2
"""A table reaches NEAR sigmas and SPARE symbols to either side: latents have longer tails than Gaussians, and an escape
takes three times what the last symbol takes. Wide ones, where each symbol's count tells, reach FAR sigmas and symbols.
"""
ESCAPE = 2.0**-TABLE_BITS
BEYOND = 2.0**-6
"""Of the bits beyond TABLE_BITS that a Gaussian would take."""


def nearest_mean(mean: Tensor, parts: int) -> Tensor:
    """A mean -> the nearest multiple of 1 / parts, with a straight-through gradient."""
    return pass_through(torch.floor(mean * parts + 0.5) / parts, mean)


def table_bits(y: Tensor, index: Tensor, mean: Tensor | float = 0.0) -> Tensor:
    """Rounded latents -> bits by the tables of `mirrored_bank`, of any one shape.

    Each count is at least 1 of 2**TABLE_BITS, so no symbol that a table has takes more bits than TABLE_BITS. What lies
    farther out goes on taking a little more, so that there is a gradient everywhere.
    """
    sigma = SCALE_FLOOR * torch.exp(index * 2.0**-INDEX_BITS)
    distance = (y - mean).abs()
    upper, lower = torch.special.log_ndtr((0.5 - distance) / sigma), torch.special.log_ndtr((-0.5 - distance) / sigma)
    bits = -(upper + torch.log1p(-torch.exp(lower - upper))) / math.log(2)
    reach = torch.minimum(NEAR * sigma, FAR[0] * sigma + FAR[1]).ceil().detach() + SPARE
    share = torch.log2(1 - (2 * reach + 2) * 2.0**-TABLE_BITS)
    capped: Tensor = -torch.logaddexp2(share - bits, torch.full_like(bits, -float(TABLE_BITS)))
    escaped = (y - torch.ceil(torch.as_tensor(mean) - 0.5)).abs() > reach
    beyond: Tensor = BEYOND * (bits - TABLE_BITS).clamp_min(0) + ESCAPE_BITS * escaped
    return capped + beyond


def mirrored_bank(levels: int, phases: int) -> Tables:
    """Tables of all indices below `levels`, each with as many means from 0 on as it has phases."""
    first, pmfs = [], []
    for index in range(levels):
        sigma = SCALE_FLOOR * math.exp(index * 2.0**-INDEX_BITS)
        reach = math.ceil(min(NEAR * sigma, FAR[0] * sigma + FAR[1])) + SPARE
        for part in range(phases):
            first.append(-reach)
            pmfs.append(gaussian_pmf(sigma, part / parts_of(phases), reach))
    return freeze_pmf(np.array(first), pmfs, ESCAPE)

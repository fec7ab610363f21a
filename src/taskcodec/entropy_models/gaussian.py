"""The Gaussian conditional entropy model over integer scale indices.

    p(symbol k | mean, index) = Phi((k + 1/2 - mean) / sigma) - Phi((k - 1/2 - mean) / sigma)
    sigma = .11 e^(index / 8)

Minnen et al., "Joint autoregressive and hierarchical priors for learned image compression" (NeurIPS 2018), section 3;
the geometric table of scales is Balle et al.'s (ICLR 2018). Training sees the very scales and sixteenths of means that
coding will, with a straight-through gradient, so that the rate it lowers is the rate of the files.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskcodec.coding import Tables, freeze_pmf
from taskcodec.quantization.straight_through import clip_inward, pass_through

SCALE_FLOOR = 0.11
"""Sigma of index 0: narrower densities put all their mass on one symbol (CompressAI's convention, too)."""
INDEX_BITS = 3
"""A factor e of scale has 2**INDEX_BITS indices: the rate is within .002 bits of that of a continuous scale."""
MAX_LEVELS = 64
"""Indices are below this; the largest sigma is 290."""
FRACTION_BITS = 4
"""Means are multiples of 2**-FRACTION_BITS."""
REACH = 6.0
"""A table reaches so many sigmas to either side."""
ESCAPE = 2e-6
SPARE_LEVELS = 4
MIN_LIKELIHOOD = 1e-9


def scale_index(log_scale: Tensor, levels: int = MAX_LEVELS) -> Tensor:
    """ln(sigma / SCALE_FLOOR) -> the nearest index below `levels`, with a straight-through gradient."""
    index = clip_inward(log_scale * 2**INDEX_BITS, 0.0, levels - 1.0)
    return pass_through(torch.floor(index + 0.5), index)


def fractional_mean(mean: Tensor) -> Tensor:
    """A mean -> the nearest multiple of 2**-FRACTION_BITS, with a straight-through gradient."""
    return pass_through(torch.floor(mean * 2**FRACTION_BITS + 0.5) * 2.0**-FRACTION_BITS, mean)


def gaussian_bits(y: Tensor, index: Tensor, mean: Tensor | float = 0.0) -> Tensor:
    """Latents, noisy or rounded -> bits, of any one shape."""
    sigma = SCALE_FLOOR * torch.exp(index * 2.0**-INDEX_BITS)
    distance = (y - mean).abs()  # the lower tail has the precision
    upper, lower = torch.special.ndtr((0.5 - distance) / sigma), torch.special.ndtr((-0.5 - distance) / sigma)
    return -torch.log2((upper - lower).clamp_min(MIN_LIKELIHOOD))


def gaussian_bank(levels: int, fraction_bits: int) -> Tables:
    """Tables of all indices below `levels`, for each 2**fraction_bits of fractional means, in that order."""
    first, pmfs = [], []
    for index in range(levels):
        sigma = SCALE_FLOOR * np.exp(index * 2.0**-INDEX_BITS)
        reach = int(np.ceil(REACH * sigma)) + 1
        for part in range(1 << fraction_bits):
            first.append(-reach)
            pmfs.append(gaussian_pmf(sigma, part * 2.0**-fraction_bits, reach))
    return freeze_pmf(first, pmfs, ESCAPE)


def gaussian_pmf(sigma: float, mean: float, reach: int) -> npt.NDArray[np.float64]:
    """Probabilities of -reach ... reach."""
    distance = (torch.arange(-reach, reach + 1, dtype=torch.float64) - mean).abs()
    upper, lower = torch.special.ndtr((0.5 - distance) / sigma), torch.special.ndtr((-0.5 - distance) / sigma)
    return np.asarray((upper - lower).numpy())


def levels_of(indices: npt.NDArray[np.int64]) -> int:
    """How many levels to keep for indices like these: a few more than they need, for data that are wider."""
    return int(np.clip(indices.max(initial=0) + 1 + SPARE_LEVELS, 1, MAX_LEVELS))


def lattice_offset(latent: Tensor) -> Tensor:
    """(n, k) latents -> (k,) the offset in -1/2 ... 1/2 of the integers that they crowd around (a circular mean).

    A column that is not worth its bits is nearly constant: rounded to offset + integers it costs nothing, wherever
    that constant lies.
    """
    angle = 2 * torch.pi * latent
    return torch.atan2(torch.sin(angle).mean(dim=0), torch.cos(angle).mean(dim=0)) / (2 * torch.pi)

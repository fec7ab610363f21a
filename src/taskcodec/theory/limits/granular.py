"""The granular loss: what cubic cells cost, whatever the entropy coder does.

At high rates a uniform step with an ideal entropy coder takes 1/2 log2(2 pi e / 12) = 0.2546 bits for each coded
dimension more than R(D) (Gish and Pierce, "Asymptotically efficient quantizing", 1968); at low rates less, nothing in
the end. Vector quantizers, trellises and lattices get some of it back.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]

AT_HIGH_RATE_BITS = math.log2(2 * math.pi * math.e / 12) / 2
"""0.2546."""
STEPS = np.geomspace(0.05, 12.0, 160)
"""Of the quantizer, in standard deviations; a finer one has the loss of high rates."""


def granular_bits(rates: npt.ArrayLike) -> Floats:
    """Bits of each of the columns, of these rates, that are granular loss, reckoned as for Gaussian columns.

    A standard Gaussian is coded with a uniform step, zero in the middle of a cell, cells decoded to their means, at
    its entropy; the loss is what that exceeds 1/2 log2(1 / error) by. Between steps it is interpolated by the rate.
    """
    known, lost = _table()
    return np.asarray(np.interp(np.asarray(rates, dtype=np.float64), known, lost))


@cache
def _table() -> tuple[Floats, Floats]:
    """Rates, rising, and losses."""
    rates, lost = [0.0], [0.0]
    for step in STEPS[::-1]:
        edges = (np.arange(-math.ceil(10 / step) - 1, math.ceil(10 / step) + 2) - 0.5) * step
        p = np.diff(ndtr(edges))
        density = np.exp(-(edges**2) / 2) / math.sqrt(2 * math.pi)
        inside = p > 0
        means = (density[:-1] - density[1:])[inside] / p[inside]
        error = 1 - float(p[inside] @ means**2)
        rate = -float((p[inside] * np.log2(p[inside])).sum())
        if rate > rates[-1]:
            rates.append(rate)
            lost.append(max(0.0, rate + math.log2(error) / 2))
    return np.array(rates), np.array(lost)

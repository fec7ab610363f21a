"""Blahut and Arimoto's alternation: exact for finite sources, and on a grid of reproductions for one or two features.

    q(y|x) proportional to w(y) exp(-lambda rho(x, y)),      w(y) <- sum_x p(x) q(y|x)

(Blahut, "Computation of channel capacity and rate-distortion functions", 1972, theorem 6.) The weights w come from one
set of samples or from the source's probabilities, and bound R(D) for any other samples: see `laws`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from taskcodec.errors import UsageError
from taskcodec.theory.limits.laws import BITS, Floats, PointLaw, log_of, squared_distances

ITERATIONS, ENOUGH = 20000, 1e-9
"""At most so many; they end where none changes F by more than the second number, in nats, within TRIED of them."""
TRIED = 20
GRID = {1: 400, 2: 40}
"""Points of a grid along each of so many features."""
FIT_SAMPLES, GRID_ITERATIONS = 2000, 400
"""More are not looked at, nor more often: on a grid the last digits are not worth the minutes."""
NEGLIGIBLE = 1e-12
"""Weights below this are dropped."""


@dataclass(frozen=True)
class ExactPoint:
    """A point of R(D) of a finite source, and what the alternation still had to gain.

    Attributes:
        distortion: in the mean.
        rate_bits: of this point, on or above R(D).
        gap_bits: R(D) is at least the rate less this (Blahut 1972, theorem 6: the largest over y).
    """

    distortion: float
    rate_bits: float
    gap_bits: float


def weights_of(
    costs: Floats, slope: float, probabilities: Floats | None = None, iterations: int = ITERATIONS
) -> Floats:
    """(n, m) distortions of n source symbols by m reproductions -> (m,) weights of the best law at a slope."""
    n, m = costs.shape
    p = np.full(n, 1 / n) if probabilities is None else probabilities
    lowest = costs.min(axis=1, keepdims=True)
    kernel, w, before = np.exp(-slope * (costs - lowest)), np.full(m, 1 / m), math.inf
    for i in range(iterations):
        mass = kernel @ w
        w = w * (kernel.T @ (p / mass))
        if i % TRIED == 0:
            nats = -float(p @ np.log(mass))
            if before - nats < ENOUGH:
                break
            before = nats
    return np.asarray(w / w.sum())


def exact_point(probabilities: npt.ArrayLike, costs: npt.ArrayLike, slope: float) -> ExactPoint:
    """The point of a finite source's R(D) at a slope, in nats for a unit of distortion.

    Args:
        probabilities: (n,) of the source's symbols.
        costs: (n, m) distortion of each by each reproduction.
        slope: lambda > 0.

    Raises:
        UsageError: arrays that do not fit each other, or a slope that is not positive.
    """
    p, rho = np.asarray(probabilities, np.float64), np.asarray(costs, np.float64)
    if rho.ndim != 2 or p.shape != rho.shape[:1] or not abs(p.sum() - 1) < 1e-6 or not (p >= 0).all():
        raise UsageError(f"a finite source needs a probability and a row of costs for each symbol, found {rho.shape}")
    if not 0 < slope < math.inf:
        raise UsageError(f"a slope is above 0, found {slope:g}")
    w = weights_of(rho, slope, p)
    exponents = log_of(w) - slope * rho
    total = logsumexp(exponents, axis=1)
    q = np.exp(exponents - total[:, None])
    distortion = float(p @ (q * rho).sum(axis=1))
    gap = math.log(float((np.exp(-slope * rho - total[:, None]).T @ p).max()))
    return ExactPoint(distortion, (-float(p @ total) - slope * distortion) * BITS, gap * BITS)


def grid_law(x: Floats, slope: float) -> PointLaw:
    """The law on a grid over (n, 1) or (n, 2) samples: the grid spans them."""
    d = x.shape[1]
    ends = [np.linspace(column.min(), column.max(), GRID[d]) for column in x.T]
    points = np.stack([axis.ravel() for axis in np.meshgrid(*ends, indexing="ij")], axis=1)
    w = weights_of(squared_distances(x[:FIT_SAMPLES], points), slope, iterations=GRID_ITERATIONS)
    kept = w > NEGLIGIBLE
    return PointLaw(points[kept], w[kept] / w[kept].sum(), "Blahut-Arimoto on a grid")

"""Laws of reproductions, and the bound on R(D) that each of them gives.

For any law nu of reproductions y, any slope lambda > 0 and squared errors summed over a sample's d features,

    F(x) = -log E_nu exp(-lambda |x - y|^2)      Q(y|x) = nu(y) exp(-lambda |x - y|^2 + F(x))      the test channel

    E KL(Q(.|x) | nu) = E F(x) - lambda D,       D = E_Q |x - y|^2

and I(X;Y) is at most that mean divergence: (D, E F - lambda D) lies on or above R(D), whatever nu is (Blahut,
"Computation of channel capacity and rate-distortion functions", 1972). So the mean over samples that nu was not fitted
to is an unbiased estimate of a point that is a bound; over samples that it was fitted to it would be too low.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Floats = npt.NDArray[np.float64]

BITS = 1 / math.log(2)
"""Bits of a nat."""
VALUES_AT_ONCE = 2**22
"""Of distances between samples and points, so that memory stays bounded."""


@dataclass(frozen=True, eq=False)
class Scores:
    """What a law gives of samples.

    Attributes:
        nats: (n,) F(x).
        distortion: (n,) mean squared error of the test channel at x, summed over features.
    """

    nats: Floats
    distortion: Floats


class Law(Protocol):
    """A law of reproductions."""

    @property
    def method(self) -> str:
        """What it is, in a few words."""

    def scores(self, x: Floats, slope: float) -> Scores:
        """(n, d) samples, and lambda -> what they give."""


@dataclass(frozen=True)
class UpperPoint:
    """A point on or above R(D), estimated from samples.

    Attributes:
        distortion: sum of squared errors of a sample, in the mean.
        rate_bits: bits a sample.
        error_bits: standard error of the rate at this distortion: that of F, since along the curve what a rate gains
            a distortion loses, slope for slope.
        slope: lambda, nats for a unit of distortion.
        samples: in the mean.
    """

    distortion: float
    rate_bits: float
    error_bits: float
    slope: float
    samples: int


def upper_point(scores: Scores, slope: float) -> UpperPoint:
    """The point of a law at a slope."""
    n, distortion = len(scores.nats), float(scores.distortion.mean())
    rate = float(scores.nats.mean()) - slope * distortion
    error = float(scores.nats.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return UpperPoint(distortion, max(rate, 0.0) * BITS, error * BITS, slope, n)


@dataclass(frozen=True, eq=False)
class PointLaw:
    """Points (m, d) with weights (m,): no rate above log2 m."""

    points: Floats
    weights: Floats
    method: str

    def scores(self, x: Floats, slope: float) -> Scores:
        """As `Law.scores`."""
        found, logs = list[tuple[Floats, Floats]](), log_of(self.weights)
        for part in np.array_split(x, max(1, math.ceil(len(x) * len(self.points) / VALUES_AT_ONCE))):
            distances = squared_distances(part, self.points)
            exponents = logs - slope * distances
            total = logsumexp(exponents, axis=1)
            found.append((-total, (np.exp(exponents - total[:, None]) * distances).sum(axis=1)))
        return Scores(*(np.concatenate(column) for column in zip(*found, strict=True)))


def squared_distances(x: Floats, y: Floats) -> Floats:
    """(n, d), (m, d) -> (n, m)."""
    if x.shape[1] <= 4:  # exact, where the other way loses digits
        return np.asarray(sum((x[:, None, j] - y[None, :, j]) ** 2 for j in range(x.shape[1])))
    crossed = (x**2).sum(axis=1)[:, None] - 2 * x @ y.T + (y**2).sum(axis=1)
    return np.asarray(np.maximum(crossed, 0.0))


def log_of(weights: Floats) -> Floats:
    """Logarithms, minus infinity for 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(weights))


def at_distortion(law: Law, x: Floats, distortion: float, slope: float) -> tuple[Scores, float] | None:
    """The scores of a law at the slope where its test channel has this distortion on (n, d) samples, and that slope.

    A law bounds R(D) at each slope, so one that was fitted at another gives a bound just here. `slope` is where to
    start. None where no slope gives it.
    """
    low = high = math.log(slope)
    for _ in range(SPREADS):
        if float(law.scores(x, math.exp(low)).distortion.mean()) >= distortion:
            break
        low -= SPREAD
    for _ in range(SPREADS):
        if float(law.scores(x, math.exp(high)).distortion.mean()) <= distortion:
            break
        high += SPREAD
    while True:
        middle = (low + high) / 2
        scores = law.scores(x, math.exp(middle))
        found = float(scores.distortion.mean())
        if abs(found - distortion) <= CLOSE * distortion:
            return scores, math.exp(middle)
        if high - low < CLOSE * CLOSE:
            return None
        low, high = (middle, high) if found > distortion else (low, middle)


SPREADS, SPREAD, CLOSE = 12, 0.7, 1e-6
"""How often, and how far each time, a slope is looked for on either side, and how near the distortion then is."""

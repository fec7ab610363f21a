"""The same bound under a task's distortion: what the log loss of classes costs, by the information bottleneck.

    rho(x, y) = KL(p(.|x) | y)      y a distribution of the classes: what is predicted from the reproduction

is the excess log loss of predicting y where p(.|x) is the truth, and the least rate at a mean of it is the information
bottleneck of the posteriors (Tishby, Pereira, Bialek, "The information bottleneck method", 1999; Harremoes and Tishby,
"The information bottleneck revisited or how to choose a good distortion measure", 2007). Posteriors of a few classes
have few dimensions: weighted points that move to the mean of what they stand for are enough.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, xlogy

from taskcodec.errors import UsageError
from taskcodec.theory.limits.laws import BITS, Floats, Scores, log_of, upper_point

POINTS, STEPS = 512, 100
"""Points at the start, at most, and steps."""
CERTAIN = 1e-6
"""How much of the mean is in each point: a class that is ruled out would cost without end where it comes."""
SUM_TOLERANCE = 1e-4


@dataclass(frozen=True)
class LogLossPoint:
    """A point on or above the least rate of a task.

    Attributes:
        excess_bits: log loss above that of the posteriors themselves, bits a sample.
        rate_upper_bits: so many bits suffice.
        error_bits: standard error of the rate at this excess.
    """

    excess_bits: float
    rate_upper_bits: float
    error_bits: float


@dataclass(frozen=True, eq=False)
class PosteriorLaw:
    """Distributions (m, c) of c classes with weights (m,)."""

    points: Floats
    weights: Floats
    method: str = "information bottleneck"

    def scores(self, x: Floats, slope: float) -> Scores:
        """(n, c) posteriors -> what they give; the distortion in nats."""
        rho, exponents = self._exponents(x, slope)
        total = logsumexp(exponents, axis=1)
        return Scores(-total, (np.exp(exponents - total[:, None]) * rho).sum(axis=1))

    def stepped(self, x: Floats, slope: float) -> "PosteriorLaw":
        """The law after a step of both alternations: weights are masses, points the means of what they stand for."""
        exponents = self._exponents(x, slope)[1]
        q = np.exp(exponents - logsumexp(exponents, axis=1)[:, None])
        mass = q.sum(axis=0)
        kept = mass > len(x) * np.finfo(np.float64).eps
        means = (q.T @ x)[kept] / mass[kept, None]
        return PosteriorLaw((1 - CERTAIN) * means + CERTAIN * x.mean(axis=0), mass[kept] / mass[kept].sum())

    def _exponents(self, x: Floats, slope: float) -> tuple[Floats, Floats]:
        rho = np.maximum(xlogy(x, x).sum(axis=1)[:, None] - x @ np.log(np.maximum(self.points, TINY)).T, 0.0)
        return rho, log_of(self.weights) - slope * rho


TINY = float(np.finfo(np.float64).tiny)


def fit_bottleneck(posteriors: npt.ArrayLike, slope: float) -> PosteriorLaw:
    """The law that points started on (n, c) posteriors come to. Raises UsageError on what are none."""
    x = _posteriors(posteriors)
    start = x[np.random.default_rng(0).permutation(len(x))[:POINTS]]
    start = np.concatenate([np.unique(start, axis=0), x.mean(axis=0, keepdims=True)])
    law = PosteriorLaw((1 - CERTAIN) * start + CERTAIN * x.mean(axis=0), np.full(len(start), 1 / len(start)))
    for _ in range(STEPS):
        law = law.stepped(x, slope)
    return law


def log_loss_point(fit: npt.ArrayLike, others: npt.ArrayLike, slope: float) -> LogLossPoint:
    """The bound of a law fitted to posteriors (n, c) on others (m, c), at a slope in bits of rate for a bit of loss.

    At slopes of 1 and below nothing is worth sending; from there on more and more is.

    Raises:
        UsageError: rows that are no distributions, other classes, or a slope that is not positive.
    """
    x = _posteriors(others)
    if not 0 < slope < np.inf:
        raise UsageError(f"a slope is above 0, found {slope:g}")
    law = fit_bottleneck(fit, slope)
    if law.points.shape[1] != x.shape[1]:
        raise UsageError(f"posteriors of {law.points.shape[1]} classes were fitted, found {x.shape[1]}")
    found = upper_point(law.scores(x, slope), slope)
    return LogLossPoint(found.distortion * BITS, found.rate_bits, found.error_bits)


def _posteriors(given: npt.ArrayLike) -> Floats:
    x = np.asarray(given, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape or not (x >= 0).all() or not (np.abs(x.sum(axis=1) - 1) < SUM_TOLERANCE).all():
        raise UsageError(f"posteriors are rows that sum to 1, one a sample, found shape {x.shape}")
    return np.asarray(x / x.sum(axis=1, keepdims=True))

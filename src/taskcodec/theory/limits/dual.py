"""A lower bound on R(D) from samples, by Csiszar's dual, where it says something.

For any positive function u and slope lambda

    R(D) >= -lambda D + E[-log u(X)] - log sup_y E[exp(-lambda |X - y|^2) / u(X)]

(Csiszar, "On an extremum problem of information theory", 1974). With k samples in the inner mean the supremum is too
large in the mean, never too small, which errs on the safe side; the logarithm is replaced by a tangent at a point a
that other samples gave, -log c >= 1 - log a - c / a, so that means of samples stay on the safe side too (Yang and
Mandt, "Towards empirical sandwich bounds on the rate-distortion function", ICLR 2022). Its peaks are climbed to from
the best samples: that no higher one is missed is what practice says, not a theorem.

The best u is that of the mixture, exp(-F), with a broad Gaussian mixed in: else a lone sample far out, where u is tiny,
rules the supremum. Since one sample's own term in the mean is at least 1 / (k u), no such estimate exceeds log k in
what it has over -lambda D: k samples tell of at most log2 k bits. Hundreds of bits cannot be certified so, by anybody.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logsumexp

from taskcodec.theory.limits.laws import BITS, VALUES_AT_ONCE, Floats, Law, squared_distances

MOST_DIMENSIONS = 10
"""Of more features nothing is left of the bound."""
BATCHES, LEAST_BATCH, MOST_BATCH = 5, 100, 10_000
"""Inner means that are averaged, at least, and samples that each has, at least and at most."""
BROAD = (1.0, 1.5, 2.0, 3.0)
SHARES = (0.05, 0.1, 0.2, 0.5, 0.8)
"""Covariances of the broad Gaussian, in those of the source, and its shares, of which the best on the fit's samples is
taken."""
CHOOSING = 4000
"""Samples of an inner mean that choose among these, at most."""
CLIMB, STARTS = 60, 200
"""Steps towards the peaks of the inner mean, and samples that they start from, those where it is largest."""


@dataclass(frozen=True)
class LowerPoint:
    """A point on or below R(D), estimated from samples.

    Attributes:
        rate_bits: at the distortion that was asked for; not below 0.
        error_bits: standard error.
    """

    rate_bits: float
    error_bits: float


@dataclass(frozen=True, eq=False)
class Dual:
    """u: exp(-F) of a law and a Gaussian, in shares. `at` is a, of the tangent."""

    law: Law
    slope: float
    centre: Floats
    precision: Floats
    share: float
    log_at: float = 0.0

    def logs(self, x: Floats) -> Floats:
        """(n,) log u."""
        away = x - self.centre
        broad = -np.einsum("nd,de,ne->n", away, self.precision, away) / 2
        d = x.shape[1]
        constant = np.linalg.slogdet(self.precision)[1] / 2 + d / 2 * math.log(math.pi / self.slope / (2 * math.pi))
        narrow = -self.law.scores(x, self.slope).nats
        return np.asarray(np.logaddexp(math.log1p(-self.share) + narrow, math.log(self.share) + constant + broad))


def fit_dual(x: Floats, law: Law, slope: float, held_out: int) -> Dual:
    """The u that bounds best on the samples (n, d) that the law was fitted to; so is the tangent's point.

    `held_out` samples are to be bounded: of so many as their inner means have, since fewer ask for a larger share.
    """
    centre, covariance = x.mean(axis=0), np.atleast_2d(np.cov(x.T))
    covariance = covariance + 1e-9 * max(float(np.trace(covariance)), 1e-300) * np.eye(len(covariance))
    inner = min(-(-held_out // _count(held_out)), len(x) // 2)
    batches, duals = _batches(x, len(x) // inner)[:BATCHES], list[Dual]()
    some = [batch[:CHOOSING] for batch in batches]
    for broad in BROAD:
        precision: Floats = np.asarray(np.linalg.inv(broad * covariance), dtype=np.float64)
        duals += [Dual(law, slope, centre, precision, share) for share in SHARES]

    def value(dual: Dual) -> float:
        logs = [dual.logs(batch) for batch in some]
        peaks = [_log_peak(batch, -each, slope, climb=0) for batch, each in zip(some, logs, strict=True)]
        return -float(np.concatenate(logs).mean()) - float(np.mean(peaks))

    best = max(duals, key=value)
    peaks = [_log_peak(batch, -best.logs(batch), slope) for batch in batches]
    return replace(best, log_at=float(logsumexp(peaks)) - math.log(len(peaks)))


def lower_point(dual: Dual, x: Floats, distortion: float) -> LowerPoint:
    """The bound at a distortion, from (n, d) samples that fitted nothing, n at least BATCHES * LEAST_BATCH."""
    values = []
    for batch in _batches(x, _count(len(x))):
        logs = dual.logs(batch)
        peak = _log_peak(batch, -logs, dual.slope)
        values.append(-float(logs.mean()) + (1 - dual.log_at - math.exp(min(peak - dual.log_at, 700.0))))
    rate = float(np.mean(values)) - dual.slope * distortion
    return LowerPoint(max(rate, 0.0) * BITS, float(np.std(values, ddof=1)) / math.sqrt(len(values)) * BITS)


def tells(dimension: int, held_out: int) -> bool:
    """Whether the bound is worth reckoning."""
    return dimension <= MOST_DIMENSIONS and held_out >= BATCHES * LEAST_BATCH


def _count(samples: int) -> int:
    """Inner means of so many samples."""
    return max(2, min(BATCHES, samples // LEAST_BATCH), -(-samples // MOST_BATCH))


def _batches(x: Floats, count: int) -> list[Floats]:
    return [x[i::count] for i in range(count)]


def _log_peak(x: Floats, logs: Floats, slope: float, climb: int = CLIMB) -> float:
    """log of the largest of (1/k) sum exp(logs - slope |x - y|^2), by the mean shift from the best samples."""
    values = _log_sums(x, x, logs, slope)
    best, y = float(values.max()), x[np.argsort(-values)[:STARTS]]
    for _ in range(climb):
        exponents = logs - slope * squared_distances(y, x)
        total = logsumexp(exponents, axis=1)
        best = max(best, float(total.max()))
        moved = np.exp(exponents - total[:, None]) @ x
        if np.abs(moved - y).max() * math.sqrt(slope) < STILL:
            break
        y = moved
    return best - math.log(len(x))


def _log_sums(y: Floats, x: Floats, logs: Floats, slope: float) -> Floats:
    parts = np.array_split(y, max(1, len(y) * len(x) // VALUES_AT_ONCE))
    return np.concatenate([logsumexp(logs - slope * squared_distances(part, x), axis=1) for part in parts])


STILL = 1e-3
"""The step, in errors, at which a climb has arrived."""

"""Rate-distortion functions that are known in closed form, in bits a sample.

Distortion is the squared error summed over features, unless said otherwise.
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import gammaln, ive, logsumexp

from taskcodec.errors import UsageError

Floats = npt.NDArray[np.float64]


def gaussian_bits(variances: npt.ArrayLike, distortion: float) -> float:
    """A Gaussian with these variances along its axes: reverse water-filling.

    Each axis has the error min(level, its variance), and those above the level cost 1/2 log2(variance / level).
    """
    v = _variances(variances)
    if not distortion > 0:
        raise UsageError(f"a Gaussian needs a distortion above 0, found {distortion:g}")
    level = water_level(v, distortion)
    return float(np.log2(np.maximum(v, level) / level).sum() / 2)


def water_level(variances: npt.ArrayLike, distortion: float) -> float:
    """The level s at which the errors min(s, variance) sum to this distortion; the slope lambda is 1 / (2 s)."""
    v = np.sort(_variances(variances))
    if distortion >= v.sum():
        return float(max(v[-1], np.finfo(np.float64).tiny))
    # With the level between two variances, all below it are lost whole.
    below = np.concatenate([[0.0], np.cumsum(v)])[:-1]
    levels = (distortion - below) / np.arange(len(v), 0, -1)
    return float(levels[np.flatnonzero(levels <= v)[0]])


def laplace_bits(scale: float, absolute_error: float) -> float:
    """Laplace(scale) under absolute error: log2(scale / D)."""
    return max(0.0, math.log2(scale / absolute_error))


def bernoulli_bits(p: float, errors: float) -> float:
    """A biased coin under the share of wrong symbols: h(p) - h(D), 0 from D = min(p, 1 - p) on."""
    return 0.0 if errors >= min(p, 1 - p) else binary_entropy_bits(p) - binary_entropy_bits(errors)


def uniform_bits(symbols: int, errors: float) -> float:
    """K symbols alike under the share of wrong ones: log2 K - h(D) - D log2(K - 1)."""
    if errors >= 1 - 1 / symbols:
        return 0.0
    return math.log2(symbols) - binary_entropy_bits(errors) - errors * math.log2(max(symbols - 1, 1))


def binary_entropy_bits(p: float) -> float:
    """h(p)."""
    return -sum(q * math.log2(q) for q in (p, 1 - p) if q > 0)


def sphere_point(dimension: int, concentration: float) -> tuple[float, float]:
    """(D, bits) of a point drawn evenly from the unit sphere in so many dimensions.

    The test channel is von Mises and Fisher's with this concentration on a smaller sphere, its mean cosine the radius.
    """
    order = dimension / 2
    log_small, log_large = (math.log(ive(v, concentration)) + concentration for v in (order - 1, order))
    cosine = math.exp(log_large - log_small)
    # log of E exp(concentration * cosine of the angle) over the sphere
    log_mean = gammaln(order) + (order - 1) * math.log(2 / concentration) + log_small
    return 1 - cosine**2, float(concentration * cosine - log_mean) / math.log(2)


def sphere_bits(dimension: int, distortion: float) -> float:
    """R(D) of the same. Raises UsageError where D is not between 0 and 1, what it costs to send nothing."""
    if not 0 < distortion <= 1:
        raise UsageError(f"a unit sphere has distortions from 0 to 1, found {distortion:g}")
    if distortion > 1 - 1e-9:
        return 0.0
    root = brentq(lambda at: sphere_point(dimension, math.exp(at))[0] - distortion, -15, 12)
    return sphere_point(dimension, math.exp(root))[1]


def noisy_sphere_bits(dimension: int, noise: float, distortion: float) -> float:
    """A point drawn evenly from the unit sphere plus N(0, noise I), up to the distortion that the noise alone has.

    There Shannon's lower bound is R(D): the sphere itself, blurred by an error that is less than the noise.
    """
    if not 0 < distortion <= dimension * noise * (1 + 1e-12):
        raise UsageError(f"known for distortions up to {dimension * noise:g} only, found {distortion:g}")
    entropy = _noisy_sphere_entropy_nats(dimension, noise)
    return (entropy - dimension / 2 * math.log(2 * math.pi * math.e * distortion / dimension)) / math.log(2)


def _noisy_sphere_entropy_nats(dimension: int, noise: float) -> float:
    """h of the same, by quadrature over the radius: the density depends on nothing else."""
    r = np.linspace(1e-6, 1 + 12 * math.sqrt(noise) + 3 * math.sqrt(dimension * noise), 20001)
    order, k = dimension / 2, r / noise
    log_mean = gammaln(order) + (order - 1) * np.log(2 / k) + np.log(ive(order - 1, k)) + k
    log_density = -dimension / 2 * math.log(2 * math.pi * noise) - (r**2 + 1) / (2 * noise) + log_mean
    log_shell = math.log(2) + order * math.log(math.pi) - gammaln(order) + (dimension - 1) * np.log(r) + log_density
    mass = np.exp(log_shell - logsumexp(log_shell))
    return float(-(mass * log_density).sum())


def _variances(variances: npt.ArrayLike) -> Floats:
    v = np.asarray(variances, dtype=np.float64)
    if v.ndim != 1 or not len(v) or not (np.isfinite(v) & (v >= 0)).all():
        raise UsageError(f"needs variances of one axis or more, not negative, found shape {v.shape}")
    return v

"""Rate, distortion and realism in closed form, in bits a sample: what it costs that what is decoded looks like data.

    R(D, P) = least I(X; X_hat)   where   E d(X, X_hat) <= D   and   distance of laws(X, X_hat) <= P

Blau and Michaeli, "Rethinking lossy compression: the rate-distortion-perception tradeoff" (ICML 2019). At P = 0 what
is decoded has the law of the data; without a bound on P this is the usual R(D). These rates are reached where encoder
and decoder share randomness (as a dither drawn from one seed) and code long blocks; a decoder that alone draws noise
needs more (`gaussian_private_bits`).
"""

import math

from taskcodec.errors import UsageError
from taskcodec.theory.limits.closed_forms import bernoulli_bits, binary_entropy_bits


def gaussian_realism_bits(variance: float, distortion: float, distance: float) -> float:
    """N(., variance), mean squared error, squared 2-Wasserstein distance: R(D, P) with common randomness.

    Zhang et al., "Universal rate-distortion-perception representations for lossy compression" (NeurIPS 2021),
    theorem 1. Raises UsageError unless variance and distortion are above 0, and the distance is not negative.
    """
    _check(variance > 0 and distortion > 0 and distance >= 0, "a Gaussian", variance, distortion, distance)
    sigma, root = math.sqrt(variance), math.sqrt(distance)
    if root > sigma - math.sqrt(abs(variance - distortion)):
        return max(0.0, math.log2(variance / distortion) / 2)
    spread = sigma - root  # of what is decoded, at least
    product = variance * spread**2
    if product == 0:
        return 0.0
    covariance = max(0.0, (variance + spread**2 - distortion) / 2)
    return math.log2(product / (product - covariance**2)) / 2


def gaussian_private_bits(variance: float, distortion: float) -> float:
    """N(., variance) and mean squared error at perfect realism, where the decoder alone draws noise.

    What is sent, U, then tells of X and of X_hat alike, and their correlation is the product of both: R is R(D / 2) of
    the usual function, so realism costs exactly twice the error. Chen et al., "On the rate-distortion-perception
    function" (IEEE JSAIT 2022); it is also what a second decoder on a frozen code can do at best.
    """
    _check(variance > 0 and distortion > 0, "a Gaussian", variance, distortion)
    return max(0.0, math.log2(2 * variance / distortion) / 2)


def bernoulli_realism_bits(p: float, errors: float, distance: float) -> float:
    """A biased coin, the share of wrong symbols, total variation: R(D, P) with common randomness.

    Blau and Michaeli, equation 6. Raises UsageError unless 0 < p <= 1/2 and the others are not negative.
    """
    _check(0 < p <= 0.5 and errors >= 0 and distance >= 0, "a coin", p, errors, distance)
    q, ones = 1 - p, max(0.0, p - distance)  # of what is decoded, at least
    if distance >= p or errors * (1 - 2 * ones) <= distance:
        return bernoulli_bits(p, errors)
    if errors >= p * (1 - ones) + q * ones:
        return 0.0
    added, lost = (errors - distance) / 2, (errors + distance) / 2
    joint_bits = -sum(each * math.log2(each) for each in (q - added, added, lost, p - lost) if each > 0)
    return binary_entropy_bits(p) + binary_entropy_bits(ones) - joint_bits


def _check(holds: bool, what: str, *found: float) -> None:
    if not holds:
        raise UsageError(f"{what} has no such rate, with parameters {', '.join(f'{each:g}' for each in found)}")

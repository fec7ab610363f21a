"""An upper bound, in bits, on what ANY task invariant to stated augmentations loses on a data set of N samples.

    I  --random view-->  X  --codec-->  Z        I one of N samples, each as likely as another; Y a task

The task is invariant where Y depends on the sample and not on which view of it is read: Y - I - X. Let q(i|z) be any
guess of the sample from the decoded view. The predictor sum_i q(i|z) p(y|i) gives the right answer at least the
probability q(I|z) p(Y|I), so its log loss exceeds H[Y|I] by no more than -log2 q(I|z), view by view. The mean of that,

    E[-log2 q(I|Z)]  >=  H[I|Z]  >=  H[Y|Z] - H[Y|I]  >=  H[Y|Z] - H[Y|X],

bounds the excess risk of every invariant task at once (Dubois et al., NeurIPS 2021, proposition 1, with the samples
themselves as the maximal invariant). Views shared by several samples do not break the bound: they only raise it.

The mean is over the augmentations, so it is estimated from views that had no part in fitting q, and an upper limit of
its confidence interval is what is reported. For that, q is mixed with FLOOR of the uniform guess: then no view costs
more than log2(N / FLOOR) bits, and limits for means of bounded variables hold without any further assumption.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]
Posterior = Callable[[Floats], Floats]
"""(m, d) decoded views -> (m, n) probabilities of the samples."""

FLOOR = 1e-3
"""The share of the uniform guess in q: costs 0.0014 bits."""
CONFIDENCE = 0.95
PAIRS = 8192
"""Test views, by default: enough to know 0.05 bits to about 0.02."""
RIDGE = 0.1
"""Of the mean variance within samples, added in every direction before whitening."""
SCORED = 2**22
"""Pairs of view and sample that are scored at a time."""
SUM_TOLERANCE = 1e-3
"""How far the sum of a guess may be from 1: more than a softmax in single precision needs. It is divided out."""


@dataclass(frozen=True)
class Bound:
    """What the views say.

    Attributes:
        bound_bits: upper limit of the mean of -log2 q, and at most log2(samples).
        mean_bits: its estimate.
        top1: share of views whose sample is the likeliest one.
        confidence: with which the limit holds.
        samples, pairs: how many samples there are, and views were tested.
    """

    bound_bits: float
    mean_bits: float
    top1: float
    confidence: float
    samples: int
    pairs: int


def draw_items(samples: int, pairs: int, seed: int = 0) -> Ints:
    """(m,) which samples the test views are of.

    Every sample equally often where `pairs` suffice for one view each; else `pairs` samples drawn at random, each draw
    free of the others. Either way the mean of independent views has the mean over all samples as its expectation.

    Raises:
        UsageError: no samples, or fewer than 2 views.
    """
    if samples < 1 or pairs < 2:
        raise UsageError(f"certificate: needs samples and at least 2 views, found {samples} and {pairs}")
    if pairs >= samples:
        return np.repeat(np.arange(samples), pairs // samples)
    return np.sort(np.random.default_rng(seed).integers(0, samples, pairs))


def losses_bits(
    posterior: Posterior, latents: npt.ArrayLike, items: npt.ArrayLike, samples: int
) -> tuple[Floats, float]:
    """(m,) -log2 of q mixed with the uniform guess, for each test view, and how often its sample was the likeliest.

    Where c samples are the likeliest together, one of them counts for 1 / c.

    Args:
        posterior: q.
        latents: (m, d) decoded test views.
        items: (m,) the sample each is a view of.
        samples: n.

    Raises:
        UsageError: `items` does not name a sample for each view, or q is no distribution over the samples.
    """
    if samples < 1:
        raise UsageError(f"certificate: needs at least 1 sample, found {samples}")
    z = np.asarray(latents)
    own = _sample_numbers(items, len(z), samples)
    found, right = np.empty(len(z)), 0.0
    rows = max(1, SCORED // samples)
    for start in range(0, len(z), rows):
        q = np.asarray(posterior(z[start : start + rows]))
        named = own[start : start + rows]
        # Divided by the sum: of guesses that sum to more than 1 the bound would be too low.
        sums = _sums_of_guesses(q, (len(named), samples))
        mine = q[np.arange(len(q)), named] / sums
        likeliest = q >= q.max(axis=1, keepdims=True)
        right += float((likeliest[np.arange(len(q)), named] / likeliest.sum(axis=1)).sum())
        found[start : start + rows] = -np.log2((1 - FLOOR) * mine + FLOOR / samples)
    return found, right


def _sums_of_guesses(q: Floats, shape: tuple[int, int]) -> Floats:
    """(m,) sums of the rows of q, in double precision. Raises UsageError where a row is no distribution."""
    if q.shape != shape:
        raise UsageError(f"certificate: a guess of shape {shape} (views, samples) expected, found {q.shape}")
    # A NaN makes the minimum NaN and an infinity the sum infinite, so that these two are all there is to look at.
    sums = np.asarray(q.sum(axis=1, dtype=np.float64))
    if not q.min() >= 0 or not (np.abs(sums - 1) <= SUM_TOLERANCE).all():
        worst = sums[np.argmax(np.abs(sums - 1))]
        raise UsageError(
            f"certificate: a guess holds probabilities that sum to 1, found one of {q.min():g} and a sum of {worst:g}"
        )
    return sums


def _sample_numbers(items: npt.ArrayLike, views: int, samples: int) -> Ints:
    """(m,) one of n samples for each view. Raises UsageError on anything else: negative numbers would wrap round."""
    own = np.asarray(items)
    if own.shape != (views,) or views == 0 or own.dtype.kind not in "iu" or own.min() < 0 or own.max() >= samples:
        raise UsageError(
            f"certificate: needs a sample from 0 to {samples - 1} for each of the {views} views, at least one"
        )
    return own.astype(np.intp)


def upper_limit(values: npt.ArrayLike, ceiling: float, confidence: float = CONFIDENCE) -> float:
    """A limit that the mean expectation of independent values in [0, ceiling] exceeds with probability 1 - confidence.

    The smaller of two, each at half the risk: the empirical Bernstein bound (Maurer and Pontil 2009, theorem 11), good
    where the values vary little, and the relative-entropy bound (Hoeffding 1963, theorem 1), good where nearly all are
    0. Neither asks that the values have one distribution.

    Raises:
        UsageError: fewer than two values, one outside [0, ceiling], no such ceiling, a confidence outside (0, 1).
    """
    if not 0 < ceiling < math.inf or not 0 < confidence < 1:
        raise UsageError(
            f"upper limit: needs a ceiling above 0 and a confidence in (0, 1), found {ceiling:g} and {confidence:g}"
        )
    x = np.asarray(values, dtype=np.float64) / ceiling
    n = x.size
    if x.ndim != 1 or n < 2 or not ((x >= -1e-9) & (x <= 1 + 1e-9)).all():
        raise UsageError("upper limit: needs two or more values between 0 and the ceiling")
    mean, share = min(max(float(x.mean()), 0.0), 1.0), math.log(2 / (1 - confidence))
    bernstein = mean + math.sqrt(2 * float(x.var(ddof=1)) * (share + math.log(2)) / n)
    bernstein += 7 * (share + math.log(2)) / (3 * (n - 1))
    low, high = mean, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if n * _divergence(mean, middle) < share else (low, middle)
    return ceiling * min(bernstein, high, 1.0)


def _divergence(p: float, q: float) -> float:
    """Relative entropy of coins, in nats."""
    heads = p * math.log(p / q) if p > 0 else 0.0
    tails = (1 - p) * math.log((1 - p) / (1 - q)) if p < 1 and q < 1 else 0.0 if p >= 1 else math.inf
    return heads + tails


def bound_excess(
    posterior: Posterior,
    latents: npt.ArrayLike,
    items: npt.ArrayLike,
    samples: int,
    confidence: float = CONFIDENCE,
) -> Bound:
    """The certificate's number, from test views that had no part in making `posterior`.

    Args:
        posterior: q(i|z): an exact one where it is known, or `fit_posterior`'s.
        latents: (m, d) decoded test views.
        items: (m,) the sample each is a view of, as from `draw_items`.
        samples: n, how many samples there are.
        confidence: with which the limit holds over the draw of the views.

    Raises:
        UsageError: as `losses_bits` and `upper_limit` do.
    """
    losses, right = losses_bits(posterior, latents, items, samples)
    limit = upper_limit(np.maximum(losses, 0.0), math.log2(samples / FLOOR), confidence)
    most = math.log2(samples)  # H[I|Z] <= H[I], whatever the codec
    estimate = min(float(losses.mean()), most)
    return Bound(min(limit, most), estimate, right / len(losses), confidence, samples, len(losses))


def identity_bits(codes: npt.ArrayLike) -> float:
    """H[I|Z] of (n, k) symbols without any augmentation, exactly: log2 of how many samples share a code, on average.

    Raises UsageError where there is no sample.
    """
    rows = np.ascontiguousarray(codes)
    if len(rows) == 0:
        raise UsageError("certificate: needs the code of at least 1 sample")
    shared = Counter(hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows)
    return sum(count * math.log2(count) for count in shared.values()) / len(rows)


@dataclass(frozen=True, eq=False)
class StudentPosterior:
    """q(i|z): a multivariate Student density around what each stored sample decodes to.

        z --compand--> --whiten--> w;      q(i|z) ~ (1 + |w - w_i|^2 / spread)^(-exponent)

    Its heavy tails keep a view that came out unlike its sample from costing everything.

    Attributes:
        centres: (n, d) the stored samples, whitened.
        whitening: (d, d) inverse root of the covariance within samples.
        companded: whether features go through the signed square root first.
        exponent, spread: of the density.
    """

    centres: Floats
    whitening: Floats
    companded: bool
    exponent: float
    spread: float

    def __call__(self, latents: Floats) -> Floats:
        """(m, d) decoded views -> (m, n) probabilities."""
        squared = squared_distances(_companded(latents, self.companded) @ self.whitening, self.centres)
        return _student(squared, self.exponent, self.spread)


def fit_posterior(
    stored: npt.ArrayLike, noise: npt.ArrayLike, noise_items: Ints, shape: npt.ArrayLike, shape_items: Ints
) -> StudentPosterior:
    """Fit q on views kept apart from the test views.

    Args:
        stored: (n, d) what the samples decode to.
        noise: (a, d) decoded views, whose differences from their samples give the covariance within samples.
        noise_items: (a,) the sample each is a view of.
        shape: (b, d) further decoded views, on which companding, exponent and spread are chosen by the loss itself.
        shape_items: (b,) their samples.

    Raises:
        UsageError: features that are not finite, or not of one size; a view without a sample; no views.
    """
    with np.errstate(over="ignore"):  # what single precision does not hold becomes infinite, and is refused
        centres, one, other = (np.asarray(part, np.float32) for part in (stored, noise, shape))
    if not all(part.ndim == 2 and len(part) and part.shape[1:] == centres.shape[1:] for part in (centres, one, other)):
        shapes = f"{centres.shape}, {one.shape} and {other.shape}"
        raise UsageError(f"certificate: samples and views expected, all of one size, found {shapes}")
    if not all(np.isfinite(part).all() for part in (centres, one, other)):
        raise UsageError("certificate: samples and views must be finite in single precision")
    noise_items = _sample_numbers(noise_items, len(one), len(centres))
    shape_items = _sample_numbers(shape_items, len(other), len(centres))
    rows = max(2, SCORED // len(centres))
    other, named = other[:rows], shape_items[:rows]
    best: tuple[float, StudentPosterior] | None = None
    for companded in (False, True):
        prototypes = _companded(centres, companded)
        matrix = _whitening(_companded(one, companded) - prototypes[noise_items])
        own = prototypes @ matrix
        squared = squared_distances(_companded(other, companded) @ matrix, own)
        middle = max(float(np.median(squared)), 1e-30)
        for spread in middle * np.geomspace(0.01, 3, 6):
            for exponent in np.geomspace(2, 1000, 10):
                q = _student(squared, exponent, spread)[np.arange(len(named)), named]
                loss = float(-np.log2((1 - FLOOR) * q + FLOOR / len(centres)).mean())
                if best is None or loss < best[0]:
                    best = (loss, StudentPosterior(own, matrix, companded, float(exponent), float(spread)))
    assert best is not None
    return best[1]


def squared_distances(left: Floats, right: Floats) -> Floats:
    """(m, d), (n, d) -> (m, n)."""
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * (left @ right.T)
    return np.asarray(np.maximum(squared, 0.0))


def _student(squared: Floats, exponent: float, spread: float) -> Floats:
    # In double precision: what is certified must be a distribution, not nearly one.
    score = -exponent * np.log1p(squared.astype(np.float64) / spread)
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _companded(x: Floats, companded: bool) -> Floats:
    return np.asarray(np.sign(x) * np.sqrt(np.abs(x))) if companded else x


def _whitening(residuals: Floats) -> Floats:
    """(a, d) differences -> (d, d) inverse root of their covariance, ridged."""
    covariance = residuals.T.astype(np.float64) @ residuals / len(residuals)
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances, 0.0)
    ridged = variances + RIDGE * variances.mean() + 1e-12
    return np.asarray(directions / np.sqrt(ridged), dtype=np.float32)

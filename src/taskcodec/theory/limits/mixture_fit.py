"""Fits of Gaussian mixtures as laws of reproductions, by exact EM under a floor on their eigenvalues."""

import math
from dataclasses import dataclass

import numpy as np

from taskcodec.fitting.closed_form.leading import shrink
from taskcodec.theory.limits.copies import numbered
from taskcodec.theory.limits.laws import Floats, squared_distances
from taskcodec.theory.limits.mixture import GaussianMixture

FOLDS = 5
"""Parts of the samples; each tells which variances it has along axes that the others made."""
ITERATIONS, ENOUGH = 60, 2e-5
"""Of EM, at most; it ends where a step gains less than the second number, in nats for each feature's worth."""
LLOYD = 10
"""Steps of k-means before it."""
SURE, MOST_GAIN = 200, 100.0
"""Samples for each feature from which on axes are as good as known; and the most by which samples that made them may
vary less along them."""
FEWEST = 2.0
"""A component that explains fewer samples than this is dropped."""
SCALES = (0.05, 20.0)
"""How much less or more than the common covariance that of a component may be."""


GUARDS, GUARD = (1.0, 4.0), 0.002
"""Broad components, in covariances of the source, and the weight of each."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates in which samples are uncorrelated.

    Attributes:
        centre: (d,).
        basis: (d, d) principal axes as columns, the largest variance first.
        variances: (d,) along them, as samples have them that did not make the axes.
        gains: (d,) by how much these are more than those of the samples that did.
    """

    centre: Floats
    basis: Floats
    variances: Floats
    gains: Floats

    def coordinates(self, x: Floats) -> Floats:
        """(n, d) -> (n, d)."""
        return np.asarray((x - self.centre) @ self.basis)


def frame_of(x: Floats) -> Frame:
    """The frame of (n, d) samples, n at least 2.

    Along the axes that samples make, these samples vary most, others less, and more along the last: so variances are
    those of each part of the samples along the axes of the other parts (Lam, "Nonparametric eigenvalue-regularized
    precision or covariance matrix estimator", 2016).
    """
    n, d = x.shape
    centre = x.mean(axis=0)
    basis = _axes(x - centre)
    numbers = numbered(x)
    folds = min(FOLDS, int(numbers.max()) + 1)
    own_variances = ((x - centre) @ basis).var(axis=0)
    variances = own_variances
    if n <= SURE * d and folds > 1:
        variances = np.zeros(d)
        for fold in range(folds):
            own = numbers % folds == fold
            others = x[~own]
            middle = others.mean(axis=0)
            variances += (((x[own] - middle) @ _axes(others - middle)) ** 2).sum(axis=0) / n
    order = np.argsort(-variances, kind="stable")
    gains = np.clip(variances / np.maximum(own_variances, np.finfo(np.float64).tiny), 1 / MOST_GAIN, MOST_GAIN)
    return Frame(centre, basis[:, order], variances[order], gains[order])


def _axes(away: Floats) -> Floats:
    """(n, d) centred samples -> (d, d) axes, the largest variance first."""
    return np.asarray(np.linalg.eigh(shrink(away.T @ away / max(len(away) - 1, 1), len(away)))[1][:, ::-1])


def one_gaussian(frame: Frame, slope: float) -> GaussianMixture:
    """Reverse water-filling: what exceeds the level s = 1 / (2 lambda) along each axis."""
    d = len(frame.centre)
    c = np.maximum(frame.variances - 1 / (2 * slope), 0.0)
    return GaussianMixture(frame.centre, frame.basis, np.ones(1), np.zeros((1, d)), np.zeros((1, 0, 0)), c[None])


@dataclass(frozen=True)
class MixtureOptions:
    """What a fit is of.

    Attributes:
        components: K, at most.
        leading: r, coordinates among which components have axes of their own.
        prior: how many samples, for each of its r + 1 directions, the common covariance counts for in each of theirs.
    """

    components: int
    leading: int
    prior: float = 0.1


FAR_PRIOR = 300.0
"""How many samples the common variances count for in each of a component's own, along the other coordinates."""


def fit_mixture(x: Floats, frame: Frame, slope: float, options: MixtureOptions) -> GaussianMixture:
    """The mixture that EM comes to from k-means, for (n, d) samples at a slope.

    In the M step each component has the covariance of its samples, mixed with the common one; eigenvalues below s
    become s, which maximises the likelihood under that floor. Of few samples of many features covariances are first
    brought to what other samples have (`Frame.gains`): at a thousand features that is worth a tenth of the bits.
    """
    if options.components == 1:
        return one_gaussian(frame, slope)
    z = frame.coordinates(x)
    shares = _kmeans(z[:, : max(options.leading, 1)], options.components)
    law, before = _maximised(z, shares, frame, slope, options), math.inf
    for _ in range(ITERATIONS):
        shares, nats = law.shares(z, slope)
        if before - nats < ENOUGH * z.shape[1]:
            break
        before, law = nats, _maximised(z, shares, frame, slope, options)
    return _guarded(law, frame, slope)


def _guarded(law: GaussianMixture, frame: Frame, slope: float) -> GaussianMixture:
    """With broad components mixed in, for samples like none before: none takes more than log(1 / GUARD) above those."""
    k, r = len(GUARDS), law.axes.shape[1]
    broad = np.maximum(np.outer(GUARDS, frame.variances) - 1 / (2 * slope), 0.0)
    return GaussianMixture(
        law.centre,
        law.basis,
        np.concatenate([(1 - k * GUARD) * law.weights, np.full(k, GUARD)]),
        np.concatenate([law.means, np.zeros((k, len(law.centre)))]),
        np.concatenate([law.axes, np.broadcast_to(np.eye(r), (k, r, r))]),
        np.concatenate([law.variances, broad]),
    )


def _maximised(z: Floats, shares: Floats, frame: Frame, slope: float, options: MixtureOptions) -> GaussianMixture:
    """The M step from (n, K) shares."""
    s, r = 1 / (2 * slope), options.leading
    shares = shares[:, shares.sum(axis=0) >= FEWEST]
    counts = shares.sum(axis=0)
    means = _means(z, shares / counts, counts)
    scatter, spread = _scatters(z, shares / counts, means, r)
    # As samples vary that made neither axes nor clusters.
    scatter, spread = scatter * np.sqrt(np.outer(frame.gains[:r], frame.gains[:r])), spread * frame.gains[r:]
    common = np.tensordot(counts, scatter, 1) / counts.sum(), counts @ spread / counts.sum()
    prior = options.prior * (r + 1)
    held, far = (counts / (counts + prior))[:, None], (counts / (counts + FAR_PRIOR))[:, None]
    scales = _scales(np.concatenate([np.einsum("kii->ki", scatter), spread], axis=1), common, counts, s)
    spread = far * spread + (1 - far) * scales[:, None] * common[1]
    scatter = held[:, :, None] * scatter + ((1 - held) * scales[:, None])[:, :, None] * common[0]
    values, axes = np.linalg.eigh(scatter)
    variances = np.maximum(np.concatenate([values, spread], axis=1) - s, 0.0)
    return GaussianMixture(frame.centre, frame.basis, counts / counts.sum(), means, axes, variances)


def _means(z: Floats, shares: Floats, counts: Floats) -> Floats:
    """(K, d) means, each coordinate drawn to the common one by as much as chance alone would have spread them.

    With (n, K) shares that sum to 1 over samples, v the variance within and b that between, the factor is b / (b + v /
    samples) (Efron and Morris, "Stein's estimation rule and its competitors", 1973).
    """
    means, n = shares.T @ z, counts.sum()
    common = counts @ means / n
    away = means - common
    between = counts @ away**2 / n
    within = np.maximum(z.var(axis=0) - between, 0.0)
    between = np.maximum(between - (len(counts) - 1) * within / n, 0.0)
    noise = within / counts[:, None]
    return np.asarray(common + away * between / np.maximum(between + noise, np.finfo(np.float64).tiny))


def _scatters(z: Floats, shares: Floats, means: Floats, r: int) -> tuple[Floats, Floats]:
    """(K, r, r) covariances of the leading coordinates, and (K, d - r) variances of the others."""
    scatter = np.empty((len(means), r, r))
    rest, mean = z[:, r:], means[:, r:]
    spread = np.maximum(shares.T @ rest**2 - 2 * (shares.T @ rest) * mean + mean**2, 0.0)
    for k, mean in enumerate(means):
        away = z[:, :r] - mean[:r]
        scatter[k] = (away * shares[:, k : k + 1]).T @ away
    return scatter, spread


def _scales(own: Floats, common: tuple[Floats, Floats], counts: Floats, s: float) -> Floats:
    """(K,) how much more or less than the common covariance each component has, where that exceeds s."""
    whole = np.concatenate([np.diag(common[0]), common[1]])
    heard = whole > s
    if not heard.any():
        return np.ones(len(own))
    ratio = (own[:, heard] / whole[heard]).mean(axis=1)
    return np.asarray(np.clip((counts * ratio + 1) / (counts + 1), *SCALES))


def _kmeans(z: Floats, count: int) -> Floats:
    """(n, K) shares, 0 or 1, of clusters that start far apart (Arthur and Vassilvitskii, "k-means++", 2007)."""
    rng = np.random.default_rng(0)
    centres = z[rng.integers(len(z), size=1)]
    nearest = squared_distances(z, centres)[:, 0]
    while len(centres) < count and nearest.sum() > 0:
        centres = np.concatenate([centres, z[rng.choice(len(z), 1, p=nearest / nearest.sum())]])
        nearest = np.minimum(nearest, squared_distances(z, centres[-1:])[:, 0])
    own: Floats
    for _ in range(LLOYD):
        own = np.eye(len(centres))[squared_distances(z, centres).argmin(axis=1)]
        sizes = own.sum(axis=0)
        centres = np.where(sizes[:, None] > 0, own.T @ z / np.maximum(sizes, 1)[:, None], centres)
    return np.asarray(own, dtype=np.float64)

"""Fits of mixtures: one component is water-filling, few samples of many features cost no more than they must."""

import numpy as np
import pytest

from taskcodec.theory.limits.closed_forms import gaussian_bits
from taskcodec.theory.limits.laws import BITS, at_distortion, upper_point
from taskcodec.theory.limits.mixture_fit import MixtureOptions, fit_mixture, frame_of, one_gaussian
from tests.theory.limits.sources import PLANE, gaussian, sphere

SPECTRUM = 1 / np.arange(1, 101)


def test_one_component_is_reverse_water_filling():
    x = gaussian(PLANE)(200_000, 0)
    found = one_gaussian(frame_of(x), 1.5).scores(x, 1.5)
    assert found.nats.mean() == pytest.approx(2.2351, abs=0.01)
    assert found.distortion.mean() == pytest.approx(2 / 3, rel=1e-6)


@pytest.mark.parametrize(("samples", "excess"), [(1000, 3.8), (4000, 1.1)])
def test_a_hundred_dimensions(samples, excess):
    """Expected over new samples, in closed form: nothing is left to chance but the fit."""
    level = 0.0103776  # at which this spectrum takes 67.2 bits
    law = one_gaussian(frame_of(gaussian(SPECTRUM)(samples, 0)), 0.5 / level)
    precision = law.basis @ np.diag(1 / (law.variances[0] + level)) @ law.basis.T
    nats = (
        np.diag(precision) @ SPECTRUM + law.centre @ precision @ law.centre + np.log1p(law.variances[0] / level).sum()
    ) / 2
    true = (np.minimum(SPECTRUM / level, 1).sum() + np.log(np.maximum(SPECTRUM / level, 1)).sum()) / 2
    assert 0 < (nats - true) * BITS < excess


def test_more_features_than_samples():
    """60 samples in a hundred dimensions: a bound all the same, and no wild one."""
    x = gaussian(SPECTRUM)(60, 0)
    other = gaussian(SPECTRUM)(4000, 1)
    law = one_gaussian(frame_of(x), 20.0)
    found = upper_point(*at_distortion(law, other, 2.5, 20.0)).rate_bits
    assert gaussian_bits(SPECTRUM, 2.5) < found < 1.7 * gaussian_bits(SPECTRUM, 2.5)


def test_a_mixture_finds_a_circle():
    draw = sphere(2, 0.1)
    law = fit_mixture(draw(8000, 0), frame_of(draw(8000, 0)), 5.0, MixtureOptions(16, 2))
    scores = law.scores(draw(20_000, 1), 5.0)
    assert scores.nats.mean() == pytest.approx(2.5406, abs=0.02)
    assert (law.variances >= 0).all()
    assert law.weights.sum() == pytest.approx(1)


def test_a_mixture_of_clusters_takes_the_bits_of_their_names():
    rng = np.random.default_rng(0)
    x = 100 * np.eye(40)[rng.integers(0, 4, 2000)] + 0.1 * rng.normal(size=(2000, 40))
    law = fit_mixture(x[:1500], frame_of(x[:1500]), 0.5, MixtureOptions(4, 8))
    point = upper_point(law.scores(x[1500:], 0.5), 0.5)
    assert point.rate_bits == pytest.approx(2.0, abs=0.05)
    assert point.distortion == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("x", [np.zeros((20, 5)), np.repeat(np.eye(4), 6, axis=0), np.ones((2, 3))])
def test_samples_without_spread(x):
    law = fit_mixture(x, frame_of(x), 2.0, MixtureOptions(4, x.shape[1]))
    scores = law.scores(x, 2.0)
    assert np.isfinite(scores.nats).all()
    assert (scores.nats >= 2.0 * scores.distortion - 1e-9).all()


def test_a_sample_unlike_all_costs_little_more_than_by_one_gaussian():
    """Components of a few close samples give others next to no chance."""
    rng = np.random.default_rng(0)
    x = 10 * np.eye(6)[rng.integers(0, 6, 300)] + 0.01 * rng.normal(size=(300, 6))
    frame = frame_of(x)
    law = fit_mixture(x, frame, 50.0, MixtureOptions(6, 6))
    strange = 3 * rng.normal(size=(50, 6))
    assert (law.scores(strange, 50.0).nats < one_gaussian(frame, 50.0).scores(strange, 50.0).nats + 6.3).all()

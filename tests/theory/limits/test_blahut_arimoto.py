"""Blahut and Arimoto's alternation against closed forms."""

import math

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.theory.limits.blahut_arimoto import exact_point, grid_law
from taskcodec.theory.limits.closed_forms import bernoulli_bits, laplace_bits, uniform_bits

HAMMING = 1.0 - np.eye(2)


@pytest.mark.parametrize("slope", [0.5, 2.0, 4.0])
def test_a_coin_and_a_die(slope):
    found = exact_point([0.3, 0.7], HAMMING, slope)
    assert found.rate_bits == pytest.approx(bernoulli_bits(0.3, found.distortion), abs=1e-5)
    assert found.gap_bits < 1e-4
    found = exact_point(np.full(8, 1 / 8), 1.0 - np.eye(8), slope)
    assert found.rate_bits == pytest.approx(uniform_bits(8, found.distortion), abs=1e-6)


def laplace(power, slope):
    grid = np.linspace(-11, 11, 441 if power == 1 else 221)
    p = np.exp(-np.abs(grid))
    return exact_point(p / p.sum(), np.abs(grid[:, None] - grid) ** power, slope)


@pytest.mark.parametrize("slope", [2.0, 4.0])
def test_laplace_by_absolute_error(slope):
    found = laplace(1, slope)
    assert found.distortion == pytest.approx(1 / slope, rel=0.03)
    assert found.rate_bits == pytest.approx(laplace_bits(1.0, found.distortion), abs=1e-2)


@pytest.mark.parametrize(("distortion", "nats"), [(0.49484, 0.62846), (0.24942, 0.96913), (0.09996, 1.42578)])
@pytest.mark.slow
def test_laplace_by_squared_error(distortion, nats):
    """The published points lie on the curve: near one of ours the tangent meets it."""
    low, high = 0.2, 20.0
    while high / low > 1.03:
        slope = math.sqrt(low * high)
        found = laplace(2, slope)
        low, high = (slope, high) if found.distortion > distortion else (low, slope)
    at = found.rate_bits * math.log(2) + slope * (found.distortion - distortion)
    assert at == pytest.approx(nats, abs=2e-3)


def test_a_grid_bounds_samples_that_it_was_not_fitted_to():
    rng = np.random.default_rng(0)
    law = grid_law(rng.normal(size=(2000, 1)), 2.0)
    scores = law.scores(rng.normal(size=(20_000, 1)), 2.0)
    true = 0.5 * math.log(4) + 0.5
    assert scores.nats.mean() == pytest.approx(true, abs=0.02)


@pytest.mark.parametrize(
    ("p", "costs", "slope"), [([0.5], HAMMING, 1), ([0.5, 0.4], HAMMING, 1), ([0.5, 0.5], HAMMING, 0)]
)
def test_what_is_no_source(p, costs, slope):
    with pytest.raises(UsageError):
        exact_point(p, costs, slope)

"""The information bottleneck of posteriors, where it is known."""

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.theory.limits.blahut_arimoto import exact_point
from taskcodec.theory.limits.bottleneck import log_loss_point


def classes(n, seed, p=(0.5, 0.25, 0.125, 0.125)):
    return np.eye(len(p))[np.random.default_rng(seed).choice(len(p), n, p=p)]


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.5, 4.0])
def test_certain_classes(slope):
    """Each bit of rate saves a bit of loss: R + D = H."""
    found = log_loss_point(classes(4000, 0), classes(4000, 1), slope)
    assert found.rate_upper_bits + found.excess_bits == pytest.approx(1.75, abs=0.06)
    if slope < 1:
        assert found.rate_upper_bits == pytest.approx(0, abs=0.01)
    if slope > 1:
        assert found.excess_bits == pytest.approx(0, abs=0.01)


def test_two_posteriors_are_a_finite_source():
    """The best reproductions of two posteriors lie between them: a fine grid there gives the truth."""
    x = np.array([[0.9, 0.1], [0.2, 0.8]])[np.random.default_rng(0).integers(0, 2, 4000)]
    y = np.linspace(0.1, 0.8, 701)
    a = np.array([0.1, 0.8])[:, None]
    rho = a * np.log(a / y) + (1 - a) * np.log((1 - a) / (1 - y))
    for slope in (2.0, 4.0):
        found, true = log_loss_point(x[:2000], x[2000:], slope), exact_point([0.5, 0.5], rho, slope)
        f = found.rate_upper_bits + slope * found.excess_bits
        assert f == pytest.approx(true.rate_bits + slope * true.distortion / np.log(2), abs=0.02)


def test_it_bounds_what_it_was_not_fitted_to():
    """Fitted to few, on many others: never below the exact curve of a source of 50 posteriors."""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(5, 0.3), 50)
    x, others = p[rng.integers(0, 50, 60)], p[rng.integers(0, 50, 2000)]
    rich, poor = log_loss_point(others, others, 3.0), log_loss_point(x, others, 3.0)
    total = [one.rate_upper_bits + 3 * one.excess_bits for one in (rich, poor)]
    assert total[0] < total[1] + 0.01


@pytest.mark.parametrize("x", [np.ones((4, 2)), np.array([[1.5, -0.5]]), np.ones(3), np.empty((0, 2)), [[np.nan, 1.0]]])
def test_what_is_no_posterior(x):
    with pytest.raises(UsageError, match="rows that sum to 1"):
        log_loss_point(x, x, 2.0)
    with pytest.raises(UsageError, match="slope"):
        log_loss_point(np.eye(2), np.eye(2), 0.0)
    with pytest.raises(UsageError, match="2 classes were fitted, found 3"):
        log_loss_point(np.eye(2), np.eye(3), 2.0)

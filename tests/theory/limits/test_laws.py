"""A law's scores against the definition, and the slope at a distortion."""

import numpy as np
import pytest

from taskcodec.theory.limits.laws import PointLaw, at_distortion, squared_distances, upper_point

RNG = np.random.default_rng(0)
LAW = PointLaw(RNG.normal(size=(40, 3)), RNG.dirichlet(np.ones(40)), "points")


def test_scores_are_the_definition():
    x, slope = RNG.normal(size=(7, 3)), 0.8
    rho = ((x[:, None] - LAW.points) ** 2).sum(axis=2)
    joint = LAW.weights * np.exp(-slope * rho)
    q = joint / joint.sum(axis=1, keepdims=True)
    found = LAW.scores(x, slope)
    assert np.allclose(found.nats, -np.log(joint.sum(axis=1)))
    assert np.allclose(found.distortion, (q * rho).sum(axis=1))
    divergence = (q * np.log(q / LAW.weights)).sum(axis=1)
    assert np.allclose(found.nats - slope * found.distortion, divergence)
    assert upper_point(found, slope).rate_bits == pytest.approx(divergence.mean() / np.log(2))


@pytest.mark.parametrize("dimension", [1, 4, 5, 30])
def test_distances(dimension):
    x, y = RNG.normal(size=(5, dimension)), RNG.normal(size=(6, dimension))
    assert np.allclose(squared_distances(x, y), ((x[:, None] - y) ** 2).sum(axis=2))


def test_the_slope_at_a_distortion():
    x = RNG.normal(size=(500, 3))
    scores, slope = at_distortion(LAW, x, 1.5, 10.0)
    assert scores.distortion.mean() == pytest.approx(1.5, rel=1e-5)
    assert LAW.scores(x, slope).distortion.mean() == pytest.approx(1.5, rel=1e-5)
    assert at_distortion(LAW, x, 1e-3, 10.0) is None  # forty points are never so near

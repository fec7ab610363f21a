"""Mixtures: closed forms against points drawn from them."""

import numpy as np

from taskcodec.theory.limits.laws import PointLaw
from taskcodec.theory.limits.mixture import GaussianMixture


def test_scores_are_those_of_many_points_drawn_from_it():
    rng, d, r = np.random.default_rng(3), 3, 2
    axes = np.stack([np.linalg.qr(rng.normal(size=(r, r)))[0] for _ in range(2)])
    basis = np.linalg.qr(rng.normal(size=(d, d)))[0]
    law = GaussianMixture(
        rng.normal(size=d),
        basis,
        np.array([0.3, 0.7]),
        rng.normal(size=(2, d)),
        axes,
        np.array([[0.5, 0.0, 0.2], [0.1, 0.9, 0.0]]),
    )
    points = law.draw(400_000, seed=0)
    drawn = PointLaw(points, np.full(len(points), 1 / len(points)), "")
    x = law.draw(6, seed=1) + 0.3 * rng.normal(size=(6, d))
    for slope in (0.3, 1.5):
        exact, sampled = law.scores(x, slope), drawn.scores(x, slope)
        assert np.allclose(exact.nats, sampled.nats, atol=0.03)
        assert np.allclose(exact.distortion, sampled.distortion, rtol=0.03)

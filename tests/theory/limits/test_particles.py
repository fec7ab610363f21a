"""Points that move."""

import numpy as np
import pytest

from taskcodec.theory.limits.particles import descend
from tests.theory.limits.sources import sphere


@pytest.mark.slow
def test_points_find_a_sphere_with_noise():
    draw = sphere(2, 0.1)
    x = draw(4000, 0)
    law = descend(x, 5.0, x[:300])
    assert law.scores(draw(10_000, 1), 5.0).nats.mean() == pytest.approx(2.5406, abs=0.02)
    assert law.weights.sum() == pytest.approx(1)
    start = np.ones((300, 2)) + 0.01 * x[:300]
    assert descend(x, 5.0, start).scores(x, 5.0).nats.mean() < 3.0

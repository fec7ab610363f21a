"""Closed forms against published numbers, and against each other."""

import math

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.theory.limits.closed_forms import (
    bernoulli_bits,
    gaussian_bits,
    laplace_bits,
    noisy_sphere_bits,
    sphere_bits,
    sphere_point,
    uniform_bits,
    water_level,
)
from tests.theory.limits.sources import PLANE

NATS = math.log(2)


def test_a_gaussian_is_water_filling():
    assert gaussian_bits([1.0], 0.25) == pytest.approx(1.0)
    assert gaussian_bits([4.0, 1.0], 1.0) == pytest.approx(0.5 * math.log2(8) + 0.5)
    assert gaussian_bits([4.0, 1.0], 3.0) == pytest.approx(0.5)  # the second axis is lost whole
    assert gaussian_bits([4.0, 1.0], 5.0) == gaussian_bits([4.0, 1.0], 9.0) == 0
    assert gaussian_bits([0.0, 0.0], 1.0) == 0
    assert gaussian_bits(PLANE, 2 / 3) * NATS == pytest.approx(1.23505, abs=2e-5)  # RD-sandwich's demonstration


@pytest.mark.parametrize("distortion", [1e-6, 0.3, 1.0, 2.9, 3.0, 5.0])
def test_the_water_level_gives_the_distortion(distortion):
    v = np.array([2.0, 0.0, 0.5, 0.5])
    assert np.minimum(v, water_level(v, distortion)).sum() == pytest.approx(min(distortion, 3.0))


@pytest.mark.parametrize(("dimension", "nats"), [(2, 1.54063), (5, 2.67803), (10, 3.44807)])
def test_a_sphere_with_noise(dimension, nats):
    assert noisy_sphere_bits(dimension, 0.1, dimension * 0.1) * NATS == pytest.approx(nats, abs=2e-5)
    with pytest.raises(UsageError, match="known for distortions up to"):
        noisy_sphere_bits(dimension, 0.1, dimension * 0.11)


@pytest.mark.parametrize(
    ("dimension", "concentration", "distortion", "nats"),
    [(2, 2, 0.51311, 0.57156), (2, 8, 0.12533, 1.42378), (3, 8, 0.23437, 1.77259), (8, 8, 0.59337, 2.00438)],
)
def test_a_sphere(dimension, concentration, distortion, nats):
    found = sphere_point(dimension, concentration)
    assert found == pytest.approx((distortion, nats / NATS), abs=1e-5)
    assert sphere_bits(dimension, found[0]) == pytest.approx(found[1], rel=1e-6)


def test_finite_and_absolute():
    assert bernoulli_bits(0.5, 0.11) == pytest.approx(0.5, abs=1e-3)
    assert bernoulli_bits(0.1, 0.1) == 0
    assert uniform_bits(2, 0.11) == pytest.approx(bernoulli_bits(0.5, 0.11))
    assert uniform_bits(16, 0.0) == 4
    assert uniform_bits(4, 0.75) == 0
    assert laplace_bits(1.0, 0.25) == 2
    assert laplace_bits(1.0, 2.0) == 0


@pytest.mark.parametrize("call", [lambda: gaussian_bits([1.0, -1.0], 1.0), lambda: gaussian_bits([1.0], 0.0)])
def test_what_is_no_source(call):
    with pytest.raises(UsageError):
        call()

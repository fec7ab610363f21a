"""The best law: never below R(D) beyond its error, and near it."""

import math

import numpy as np
import pytest

from taskcodec.theory.limits.laws import at_distortion, upper_point
from taskcodec.theory.limits.upper import UpperBound
from tests.theory.limits.sources import KNOWN


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.slow
def test_bounds_of_known_sources(name):
    draw, bits, distortions = KNOWN[name]
    bound = UpperBound(draw(1500, 0))
    others = draw(20_000, 1)
    for distortion in distortions:
        law, slope = bound.law_for(distortion)
        found = upper_point(*at_distortion(law, others, distortion, slope))
        true = bits(distortion)
        assert found.rate_bits > true - 3 * found.error_bits, distortion
        assert found.rate_bits < true + 3 * found.error_bits + 0.05 * true + 0.1, distortion


@pytest.mark.parametrize("seed", range(5))
def test_few_samples_make_no_bound_too_low(seed):
    """Fitted to 30 samples of 20 features a bound evaluated on the same would be far below."""
    draw, bits, _ = KNOWN["gaussian, 20"]
    law, slope = UpperBound(draw(30, seed)).law_for(0.5)
    found = upper_point(*at_distortion(law, draw(5000, seed + 100), 0.5, slope))
    assert found.rate_bits > bits(0.5) - 2 * found.error_bits


def test_two_points_are_one_bit():
    rng = np.random.default_rng(0)
    x = np.where(rng.random((600, 1)) < 0.5, -1.0, 1.0)
    law, slope = UpperBound(x[:400]).law_for(0.01)
    found = upper_point(*at_distortion(law, x[400:], 0.01, slope))
    assert 0.9 < found.rate_bits < 1.2
    assert math.isfinite(found.error_bits)

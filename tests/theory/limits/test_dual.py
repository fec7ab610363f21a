"""The lower bound stays below R(D), and says something where it can."""

import math

import numpy as np
import pytest

from taskcodec.theory.limits.dual import fit_dual, lower_point, tells
from taskcodec.theory.limits.mixture_fit import MixtureOptions, fit_mixture, frame_of
from tests.theory.limits.sources import KNOWN


@pytest.mark.parametrize(("name", "least"), [("gaussian, 2", 0.8), ("sphere and noise, 2", 0.7), ("sphere, 3", 0.5)])
@pytest.mark.slow
def test_it_lies_below_and_near(name, least):
    draw, bits, distortions = KNOWN[name]
    x, others, distortion = draw(3000, 0), draw(5000, 1), distortions[-1]
    d = x.shape[1]
    slope = {"gaussian, 2": 1.5, "sphere and noise, 2": 5.0, "sphere, 3": 8 / 2 / math.sqrt(1 - 0.23437)}[name]
    dual = fit_dual(x, fit_mixture(x, frame_of(x), slope, MixtureOptions(16, d)), slope, 5000)
    found = lower_point(dual, others, distortion)
    assert least * bits(distortion) < found.rate_bits < bits(distortion) + 3 * found.error_bits


def test_it_never_exceeds_the_samples_logarithm():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 8))
    dual = fit_dual(x, fit_mixture(x, frame_of(x), 500.0, MixtureOptions(1, 0)), 500.0, 1000)
    assert lower_point(dual, rng.normal(size=(1000, 8)), 0.008).rate_bits < math.log2(1000)


def test_where_nothing_is_left():
    assert tells(2, 1000)
    assert not tells(1280, 10**6)
    assert not tells(2, 100)

"""Closed forms of rate, distortion and realism: published figures, least mutual information by search, factor two."""

import math

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.theory.limits.closed_forms import bernoulli_bits, gaussian_bits
from taskcodec.theory.realism import bernoulli_realism_bits, gaussian_private_bits, gaussian_realism_bits

COINS = [(0.1, 0.05, 0.02, 0.19871), (0.1, 0.1, 0.01, 0.07944), (0.3, 0.2, 0.05, 0.17345)]
SHORT = [coin[:3] for coin in COINS]


@pytest.mark.parametrize(
    ("distortion", "distance", "bits"),
    [(0.5, 0.0, 0.59632), (0.5, 0.01, 0.54411), (0.25, 0.0, 1.04655), (1.0, 0.05, 0.11782)],
)
def test_a_gaussian(distortion, distance, bits):
    assert gaussian_realism_bits(1.0, distortion, distance) == pytest.approx(bits, abs=1e-5)
    assert gaussian_realism_bits(9.0, 9 * distortion, 9 * distance) == pytest.approx(bits, abs=1e-5)  # units


@pytest.mark.parametrize(("p", "errors", "distance", "bits"), COINS)
def test_a_coin(p, errors, distance, bits):
    assert bernoulli_realism_bits(p, errors, distance) == pytest.approx(bits, abs=1e-5)


@pytest.mark.parametrize(("p", "errors", "distance"), [*SHORT, (0.3, 0.05, 0.2), (0.2, 0.3, 0.0)])
def test_a_coin_is_the_least_information_that_a_channel_can_give(p, errors, distance):
    added, lost = np.meshgrid(np.linspace(0, errors, 401), np.linspace(0, errors, 401))  # P(0, 1), P(1, 0)
    allowed = (added + lost <= errors + 1e-12) & (abs(added - lost) <= distance + 1e-12) & (lost <= p)
    joint = np.stack([1 - p - added, added, lost, p - lost])[:, allowed]
    ones = joint[1] + joint[3]
    product = np.stack([(1 - p) * (1 - ones), (1 - p) * ones, p * (1 - ones), p * ones])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(joint > 0, joint * np.log2(joint / product), 0.0).sum(axis=0).min()
    assert bernoulli_realism_bits(p, errors, distance) == pytest.approx(found, abs=1e-3)


def test_a_gaussian_is_the_least_information_of_any_pair_of_gaussians():
    spread, correlation = np.meshgrid(np.linspace(1e-3, 1.5, 600), np.linspace(0, 0.9999, 1500))
    for distortion, distance in ((0.5, 0.01), (0.25, 0.0004), (1.0, 0.05), (0.3, 0.5)):
        error = 1 + spread**2 - 2 * correlation * spread
        allowed = (error <= distortion) & (abs(1 - spread) <= math.sqrt(distance) + 1e-9)
        found = (-np.log2(1 - correlation[allowed] ** 2) / 2).min()
        assert gaussian_realism_bits(1.0, distortion, distance) == pytest.approx(found, abs=5e-3)


def test_where_looks_do_not_bind_it_is_the_usual_function():
    assert gaussian_realism_bits(1.0, 0.25, 1.0) == gaussian_bits([1.0], 0.25)
    assert gaussian_realism_bits(1.0, 2.5, 0.0) == gaussian_realism_bits(1.0, 1.5, 1.0) == 0
    assert bernoulli_realism_bits(0.1, 0.05, 0.1) == bernoulli_bits(0.1, 0.05)
    assert bernoulli_realism_bits(0.1, 0.5, 0.0) == bernoulli_realism_bits(0.5, 0.5, 0.0) == 0
    # on both sides of each edge the same
    for errors in (0.05 / (1 - 2 * 0.25), 2 * 0.3 * 0.7 - 0.4 * 0.05):
        below, above = (bernoulli_realism_bits(0.3, errors + by, 0.05) for by in (-1e-9, 1e-9))
        assert below == pytest.approx(above, abs=1e-6)


@pytest.mark.parametrize("distortion", [0.01, 0.1, 0.3, 0.5])
def test_perfect_realism_costs_at_most_twice_the_error(distortion):
    usual = gaussian_bits([1.0], distortion)
    assert gaussian_realism_bits(1.0, 2 * distortion, 0.0) < usual
    assert gaussian_private_bits(1.0, 2 * distortion) == pytest.approx(usual)  # a decoder that draws its own noise
    assert gaussian_private_bits(1.0, 3.0) == 0


def test_what_has_no_rate_is_refused():
    for call in (
        lambda: gaussian_realism_bits(1.0, 0.0, 0.0),
        lambda: gaussian_realism_bits(1.0, 0.5, -0.1),
        lambda: gaussian_private_bits(0.0, 0.5),
        lambda: bernoulli_realism_bits(0.6, 0.1, 0.1),
        lambda: bernoulli_realism_bits(0.1, math.nan, 0.1),
    ):
        with pytest.raises(UsageError, match="has no such rate"):
            call()

"""Codecs beside the bounds, on samples that fitted neither."""

import math
from dataclasses import replace

import numpy as np
import pytest

from taskcodec.errors import MismatchError, SourceError, UsageError
from taskcodec.evaluation.limits.of_features import LimitsPlan, rates_of
from taskcodec.evaluation.limits.of_features import limits_of_features as with_peers
from taskcodec.fitting import fit
from taskcodec.theory.limits.closed_forms import gaussian_bits

D = 24
VARIANCES = 4.0 / np.arange(1, D + 1)


def limits_of_features(name, x, plan=None, own=None):
    """Without peers, which most tests have no use for."""
    return with_peers(name, x, replace(plan or LimitsPlan(), peers=False), own)


def gaussian(n, seed=0):
    return (np.random.default_rng(seed).standard_normal((n, D)) * np.sqrt(VARIANCES)).astype("f4")


@pytest.mark.slow
def test_a_gaussian_source():
    """What a codec takes above R(D) is what cubic cells cost, and what its fit of so few samples does."""
    found = limits_of_features("g", gaussian(4000), LimitsPlan((20.0, 40.0, 60.0), least_error=True))
    assert (found.dimension, found.samples, found.fitted, found.held_out) == (D, 4000, 3000, 1000)
    assert found.variance == pytest.approx(VARIANCES.sum(), rel=0.1)
    for point, asked in zip(found.points, (20, 40, 60), strict=True):
        true = gaussian_bits(VARIANCES, point.distortion)
        assert true - 3 * point.rate_upper_error_bits < point.rate_upper_bits
        assert point.rate_upper_bits < true + 3 * point.rate_upper_error_bits + 0.5
        assert point.codec_bits == pytest.approx(asked, rel=0.05)
        assert point.above_bits == pytest.approx(point.codec_bits - point.rate_upper_bits)
        assert point.above_percent == pytest.approx(100 * point.above_bits / point.rate_upper_bits)
        assert 0 < point.granular_bits < D * 0.2547
        assert point.above_bits == pytest.approx(point.granular_bits, abs=0.6 + 3 * point.above_error_bits)
        assert point.above_error_bits < point.rate_upper_error_bits  # the samples are the same
        assert point.rate_lower_bits is None
    assert "24 features are too many" in found.lower


def test_a_rate_that_is_named_twice_is_one():
    assert rates_of(LimitsPlan((40.0, 20.0, 40.0)), D) == [20.0, 40.0]


@pytest.mark.slow
def test_a_lower_bound_where_it_says_something():
    x = (np.random.default_rng(0).standard_normal((4000, 2)) * [1.4, 0.8]).astype("f4")
    (point,) = limits_of_features("g", x, LimitsPlan((3.0,))).points
    true = gaussian_bits([1.96, 0.64], point.distortion)
    assert 0.4 * true < point.rate_lower_bits < true + 3 * point.rate_lower_error_bits
    assert point.rate_lower_bits <= point.rate_upper_bits < point.codec_bits


@pytest.mark.slow
def test_effort_comes_nearer():
    """Beside the granular loss there is little to be had on a Gaussian source: a good part of it is gone."""
    x = gaussian(4000)
    (usual,), (near,) = (
        limits_of_features("g", x, LimitsPlan((60.0,), least_error=True, effort=effort)).points for effort in (1, 4)
    )
    assert near.above_bits < 0.8 * usual.above_bits
    assert near.distortion == pytest.approx(usual.distortion, rel=0.03)
    assert near.granular_bits is None
    assert usual.granular_bits > 0
    with pytest.raises(UsageError, match="--effort must be from 1 to 9, found 10"):
        LimitsPlan(effort=10)


def test_a_codec_that_is_there():
    x = gaussian(600)
    own = fit(x, bits=30)
    found = limits_of_features("g", x, LimitsPlan((30.0,)), own)
    assert {point.codec for point in found.points} == {"store", "fitted"}
    assert any("may look too good" in note for note in found.notes)


def test_square_roots():
    x = gaussian(800) ** 2
    raw, roots = (limits_of_features("g", x, LimitsPlan((40.0,), companded=c)) for c in (False, True))
    assert (raw.errors_of, roots.errors_of) == ("features", "square roots of features")
    assert roots.variance < raw.variance
    assert limits_of_features("g", -x, LimitsPlan((40.0,), companded=True)).errors_of == "features"


def test_copies_lie_on_one_side():
    """Else a bound that was fitted to what it is evaluated on would be far too low."""
    x = np.repeat(gaussian(40), 10, axis=0)
    (point,) = limits_of_features("g", x, LimitsPlan((30.0,))).points
    assert point.rate_upper_bits > gaussian_bits(VARIANCES, point.distortion) - 3 * point.rate_upper_error_bits


@pytest.mark.parametrize("n", [16, 60])
def test_fewer_samples_than_features(n):
    x = np.random.default_rng(0).normal(size=(n, 200)).astype("f4")
    for point in limits_of_features("g", x, LimitsPlan((100.0, 400.0))).points:
        assert math.isfinite(point.rate_upper_bits)
        assert point.rate_upper_bits > gaussian_bits(np.ones(200), point.distortion) - 4 * point.rate_upper_error_bits


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        (np.ones((50, 4)), SourceError, "16 samples or more that differ, found 1"),
        (np.ones((1, 4)), SourceError, "found 1"),
        (np.tile(np.eye(4), (9, 1)), SourceError, "found 4"),
        (np.full((30, 4), np.nan), MismatchError, "NaN"),
        (np.ones((0, 4)), MismatchError, "one feature vector or more"),
        (np.eye(20, 5000), SourceError, "at most 4,096 features, found 5,000"),
    ],
)
def test_odd_sources(x, error, says):
    with pytest.raises(error, match=says):
        limits_of_features("odd", x.astype("f4"))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(scale):
    (usual,), (other,) = (limits_of_features("g", c * gaussian(400), LimitsPlan((30.0,))).points for c in (1, scale))
    assert other.distortion == pytest.approx(usual.distortion * scale**2, rel=0.02)
    assert other.above_percent == pytest.approx(usual.above_percent, abs=2)


def test_a_rate_that_is_none():
    for rate in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="--bits must be positive"):
            LimitsPlan((rate,))


def test_peers_are_held_against_the_same_bound():
    x = gaussian(1200)
    found = with_peers("g", x, LimitsPlan((48.0,)))
    assert {"step", "KLT", "zstd int8"} <= {peer.codec for peer in found.peers} <= {"step", "KLT", "zstd int8", "PQ"}
    bits = [peer.codec_bits for peer in found.peers]
    assert bits == sorted(bits)
    for peer in found.peers:
        true = gaussian_bits(VARIANCES, peer.distortion)
        assert (
            true - 3 * peer.rate_upper_error_bits < peer.rate_upper_bits < true + 3 * peer.rate_upper_error_bits + 0.6
        )
        assert peer.above_bits == pytest.approx(peer.codec_bits - peer.rate_upper_bits)
        assert peer.above_bits > 2
        assert peer.granular_bits is None
    by_name = {peer.codec: peer for peer in found.peers}
    assert by_name["KLT"].codec_bits == pytest.approx(48, rel=0.05)
    assert by_name["zstd int8"].asked_bits is None
    # These axes are independent already: a rotation gains nothing, a table for each is what counts.
    assert by_name["step"].above_bits == pytest.approx(by_name["KLT"].above_bits, abs=1.5)

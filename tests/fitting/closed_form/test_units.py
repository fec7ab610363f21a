"""The unit of features, however odd, changes nothing but the unit of what is decoded."""

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.errors import MismatchError, UsageError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 16)) @ RNG.normal(size=(16, 16))


def kept(codec, x):
    """The share of each column's variance that is kept, and the bits of a sample."""
    symbols = codec.encode(x)
    exact, decoded = x.astype(np.float64), codec.decode(symbols).astype(np.float64)
    lost = np.square(decoded - exact).sum(axis=0)
    return 1 - lost / np.square(exact - exact.mean(axis=0)).sum(axis=0), codec.code_length(symbols).mean()


@pytest.mark.parametrize("method", ["bottleneck", "dimensionwise"])
@pytest.mark.parametrize("sign", ["any", "not negative"])
@pytest.mark.parametrize("unit", [1e-35, 1e-30, 1e-25, 1e-20, 1e-10, 1e10, 2e13])
def test_any_unit_gives_what_the_usual_one_gives(unit, sign, method):
    x = X if sign == "any" else np.abs(X)
    usual = kept(taskcodec.fit(x.astype(np.float32), bits=64, method=method), x.astype(np.float32))
    scaled = (x * unit).astype(np.float32)
    codec = Codec.from_bytes(taskcodec.fit(scaled, bits=64, method=method).to_bytes())
    shares, bits = kept(codec, scaled)
    np.testing.assert_allclose(shares, usual[0], atol=0.02)
    assert bits == pytest.approx(64, rel=0.02)
    assert kept(taskcodec.at_bits(codec, 32), scaled)[1] == pytest.approx(32, rel=0.1)  # its sketch is sound too


@pytest.mark.parametrize("unit", [1e-25, 1e-9, 1e6])
def test_steps_are_in_the_unit_of_the_features(unit):
    x = X.astype(np.float32)
    usual = kept(taskcodec.fit(x, step=0.5, method="dimensionwise"), x)[1]
    scaled = (X * unit).astype(np.float32)
    assert kept(taskcodec.fit(scaled, step=0.5 * unit, method="dimensionwise"), scaled)[1] == pytest.approx(
        usual, rel=0.01
    )
    with pytest.raises(UsageError, match=r"too small: .* \(in units of "):
        taskcodec.fit(scaled, step=1e-9 * unit, method="dimensionwise")


@pytest.mark.parametrize("method", ["bottleneck", "dimensionwise"])
@pytest.mark.parametrize("largest", [1.0, 1e10])
def test_a_column_in_a_far_larger_unit_leaves_bits_for_the_others(largest, method):
    units = np.full(16, 1e-20 * largest)
    units[3] = largest
    x = (X * units).astype(np.float32)
    shares, bits = kept(taskcodec.fit(x, bits=64, method=method), x)
    assert bits == pytest.approx(64, rel=0.02)
    assert shares[3] > 0.99
    assert np.median(shares) > 0.8


def test_constant_columns_take_nothing_from_tiny_ones():
    x = np.c_[X * 1e-25, np.full(len(X), 7.0), np.zeros(len(X)), np.full(len(X), 1e-40)].astype(np.float32)
    codec = taskcodec.fit(x, bits=64)
    symbols = codec.encode(x)
    assert codec.code_length(symbols).mean() == pytest.approx(64, rel=0.02)
    decoded = codec.decode(symbols)
    assert np.abs(decoded[:, 16] - 7).max() < 1e-6
    assert np.corrcoef(decoded[:, 0] * 1e25, x[:, 0] * 1e25)[0, 1] > 0.9


def test_columns_that_float32_hardly_holds_leave_the_others_as_they_are():
    x = np.c_[X * 1e-25, X[:, :4] * 1e-43].astype(np.float32)
    shares, bits = kept(taskcodec.fit(x, bits=64), x)
    assert bits == pytest.approx(64, rel=0.02)
    assert np.median(shares[:16]) > 0.8


@pytest.mark.parametrize("value", [0.0, 3.3, 1e-25, 1e-40, 1e14, -1e14])
def test_constant_features_come_back_as_they_are(value):
    x = np.full((100, 8), value, np.float32)
    codec = taskcodec.fit(x, bits=20)
    np.testing.assert_allclose(codec.decode(codec.encode(x)), x, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-38, 1e-40, 1e-44])
def test_features_that_float32_hardly_holds_are_refused(unit):
    with pytest.raises(UsageError, match=r"features of at most [0-9.]+e-[34][0-9] in magnitude, .*\(at least 1e-35\)"):
        taskcodec.fit((X * unit).astype(np.float32), bits=64)


def test_features_that_are_too_large_are_refused():
    with pytest.raises(MismatchError, match=r"beyond 1e\+15 in magnitude"):
        taskcodec.fit((X * 1e20).astype(np.float32), bits=64)


@pytest.mark.parametrize("unit", [1e-25, 1e12])
def test_more_features_than_a_covariance_is_formed_of(unit):
    wide = RNG.normal(size=(40, 5000)).astype(np.float32)
    usual = kept(taskcodec.fit(wide, bits=200), wide)[1]
    scaled = wide * np.float32(unit)
    assert kept(taskcodec.fit(scaled, bits=200), scaled)[1] == pytest.approx(usual, rel=0.02)

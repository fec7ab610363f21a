"""Fits on features that are few, flat, repeated or lopsided: a finite codec that round-trips."""

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.errors import UsageError


def _normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


def _with(x, place, value):
    x = x.copy()
    x[place] = value
    return x


FEATURES = {
    "two samples": _normal(2, 40),
    "two equal samples": np.ones((2, 40)),
    "constant": np.full((100, 8), 3.3),
    "all zero": np.zeros((100, 8)),
    "one feature": _normal(500, 1),
    "one feature, constant": np.ones((50, 1)),
    "five rows, each 40 times": np.repeat(_normal(5, 30), 40, axis=0),
    "some columns constant": np.c_[_normal(200, 3), np.ones(200), np.zeros(200)],
    "more dimensions than samples": _normal(10, 300),
    "one sample far out": np.r_[_normal(500, 20), np.full((1, 20), 1e4)],
    "one value far out": _with(_normal(500, 20), (7, 3), 3e4),
    "one value far out, the rest not negative": _with(np.maximum(_normal(500, 20), 0), (7, 3), 3e4),
    "ones and zeros": (_normal(300, 16) > 0) * 1.0,
    "small": 1e-6 * _normal(300, 10),
}


def measured(codec, x):
    return float(codec.code_length(codec.encode(x)).mean())


@pytest.mark.parametrize("options", [{}, {"method": "dimensionwise"}, {"bits": 20.0}, {"step": 0.5}], ids=str)
@pytest.mark.parametrize("features", FEATURES.values(), ids=FEATURES)
def test_a_finite_codec_that_round_trips(features, options):
    x = features.astype(np.float32)
    codec = taskcodec.fit(x, **options)
    again = Codec.from_bytes(codec.to_bytes())
    assert again.fingerprint == codec.fingerprint
    symbols = codec.encode(x)
    assert np.array_equal(symbols, again.encode(x))
    decoded = again.decode(symbols)
    assert np.isfinite(decoded).all()
    rounding = 1e-5 * np.abs(x).max()  # the order of a sum depends on the size of the batch
    assert np.allclose(again.decompress(again.compress(x[:3])), decoded[:3], atol=rounding)
    if "step" not in options:
        spread = x.astype(np.float64).var(axis=0).sum()
        assert np.sum((x - decoded) ** 2, axis=1).mean() <= 0.5 * spread + 1e-9


@pytest.mark.parametrize("method", ["bottleneck", "dimensionwise"])
def test_bits_are_met_and_steps_kept(method):
    from sklearn.datasets import load_digits

    x = load_digits().data.astype(np.float32)
    for bits in (15.0, 60.0, 240.0):
        assert measured(taskcodec.fit(x, bits=bits, method=method), x) == pytest.approx(bits, rel=0.02)
    rates = []
    for step in (0.5, 2.0, 8.0):
        codec = taskcodec.fit(x, step=step, method=method)
        assert codec.base.quantizer.step == step
        rates.append(measured(codec, x))
    assert rates[0] > rates[1] > rates[2]


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="method 'foo'"):
        taskcodec.fit(_normal(50, 4), method="foo")


def test_a_refit_is_not_moved_by_one_sample_far_out():
    x = _normal(300, 12).astype(np.float32)
    codec = taskcodec.fit(x, bits=40)
    far = _with(x, 5, 1e8)
    there, usual = taskcodec.adapt(codec, far, 40.0), np.delete(np.arange(300), 5)
    found = there.decode(there.encode(far))
    assert np.sqrt(np.mean((found - far)[usual] ** 2)) < 0.5

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form.fit import within_covariance


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(4000, 10)) @ rng.normal(size=(10, 40)) + 0.1 * rng.normal(size=(4000, 40))).astype("f4")


def bits(codec, x):
    return codec.code_length(codec.encode(x)).mean()


def error(codec, x):
    return np.mean((codec.decode(codec.encode(x)) - x) ** 2, axis=0)


@pytest.mark.parametrize("method", ["bottleneck", "dimensionwise"])
@pytest.mark.parametrize("rate", [20, 60, 150])
def test_the_rate_is_met(x, method, rate):
    codec = taskcodec.fit(x, bits=rate, method=method)
    assert bits(codec, x) == pytest.approx(rate, rel=0.02)
    assert bits(taskcodec.at_bits(codec, rate / 2), x) == pytest.approx(rate / 2, rel=0.1)
    assert bits(taskcodec.adapt(codec, x, bits=rate / 2), x) == pytest.approx(rate / 2, rel=0.02)


def test_more_bits_less_distortion(x):
    codecs = [taskcodec.fit(x, bits=rate) for rate in (20, 40, 80, 160)]
    distortions = [np.mean((codec.decode(codec.encode(x)) - x) ** 2) for codec in codecs]
    assert distortions == sorted(distortions, reverse=True)
    half = codecs[0].base.quantizer.step / 2
    assert taskcodec.at_step(codecs[0], half).base.quantizer.step == half


def test_gaussian_rate_distortion():
    """At high rate, uniform quantization with entropy coding is 0.2546 bits a dimension above Shannon's bound."""
    rng = np.random.default_rng(1)
    deviations = np.linspace(1, 4, 8)
    mix = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    x = ((rng.normal(size=(100_000, 8)) * deviations) @ mix).astype("f4")
    codec = taskcodec.fit(x, step=0.25, emphasis=0)
    distortion = np.mean((codec.decode(codec.encode(x)) - x) ** 2)
    bound = np.mean(0.5 * np.log2(deviations**2 / distortion))
    assert bits(codec, x) / 8 - bound == pytest.approx(0.5 * np.log2(2 * np.pi * np.e / 12), abs=0.03)


def test_emphasis_takes_error_from_the_leading_axes():
    """At one rate: less error in the leading axis, more in the sum."""
    rng = np.random.default_rng(4)
    x = (rng.normal(size=(5_000, 8)) * 2.0 ** -np.arange(8)).astype("f4")
    plain, emphasised = (error(taskcodec.fit(x, bits=12, emphasis=emphasis), x) for emphasis in (0.0, 0.25))
    assert emphasised[0] < 0.8 * plain[0]
    assert emphasised.sum() > plain.sum()


def test_weak_axes_give_their_bits_to_the_others():
    """A long tail of small variance goes; the error grows by a share, not more. For the squared error none goes."""
    rng = np.random.default_rng(5)
    x = (rng.normal(size=(4_000, 64)) / (1 + np.arange(64))).astype("f4")
    plain, emphasised = (taskcodec.fit(x, bits=32, emphasis=emphasis) for emphasis in (0.0, 0.25))
    assert emphasised.columns < 0.7 * plain.columns
    assert error(plain, x).sum() < error(emphasised, x).sum() < 1.25 * error(plain, x).sum()
    assert bits(emphasised, x) == pytest.approx(32, rel=0.02)


@pytest.mark.parametrize("rate", [4, 16, 64])
def test_axes_that_are_all_alike_all_stay(rate):
    x = np.random.default_rng(6).normal(size=(4_000, 16)).astype("f4")
    assert taskcodec.fit(x, bits=rate).columns == 16


def test_the_bottleneck_spends_less_on_what_views_change():
    """Nuisance directions vary as much between views as between images: they get fewer bits than the signal."""
    rng = np.random.default_rng(2)
    signal, mix = rng.normal(size=(1500, 4)), np.linalg.qr(rng.normal(size=(12, 12)))[0]
    nuisance = rng.normal(size=(3, 1500, 8)) * 3
    views = (np.concatenate([np.broadcast_to(signal, (3, 1500, 4)), nuisance], axis=2) @ mix).astype("f4")
    invariant = taskcodec.fit(views[0], bits=12, views=views, emphasis=0)
    plain = taskcodec.fit(views[0], bits=12, emphasis=0)

    def signal_error(codec):
        decoded = codec.decode(codec.encode(views[0])) @ mix.T
        return np.mean((decoded[:, :4] - signal) ** 2)

    assert signal_error(invariant) < 0.7 * signal_error(plain)
    assert np.trace(within_covariance(views)) == pytest.approx(8 * 9, rel=0.1)


def test_adapting_moves_the_centre(x):
    shifted = x + 5
    with_all_axes = taskcodec.fit(x, bits=80, emphasis=0)  # a shift costs bits in each
    assert bits(taskcodec.adapt(with_all_axes, shifted), shifted) < 0.7 * bits(with_all_axes, shifted)
    codec = taskcodec.fit(x, bits=80)  # a shift is lost where axes are left out
    moved = taskcodec.adapt(codec, shifted)
    assert error(moved, shifted).mean() < 0.01 * error(codec, shifted).mean()
    assert taskcodec.adapt(codec, x[:10]) is codec


def test_nonsense_is_refused(x):
    for wrong in ({"bits": 10, "step": 1.0}, {"bits": -1}, {"bits": float("nan")}):
        with pytest.raises(UsageError):
            taskcodec.fit(x, **wrong)
    with pytest.raises(UsageError):
        taskcodec.at_step(taskcodec.fit(x), 0)


def test_constant_features_cost_nothing():
    x = np.full((50, 6), 2.5, np.float32)
    codec = taskcodec.fit(x, method="dimensionwise")
    assert np.allclose(codec.decode(codec.encode(x)), x)


@pytest.mark.parametrize(("samples", "rate"), [(10, 20), (300, 200)])
@pytest.mark.slow
def test_very_many_features_need_no_matrix_of_their_squares(samples, rate):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, 20)) @ rng.normal(size=(20, 20_000)) + 0.1 * rng.normal(size=(samples, 20_000))
    x = x.astype(np.float32)
    codec = taskcodec.fit(x, bits=rate)  # a covariance would take 3 GB, and its axes hours
    assert codec.columns <= samples
    assert bits(codec, x) == pytest.approx(rate, rel=0.05)
    assert np.mean((codec.decode(codec.encode(x)) - x) ** 2) < 0.05 * x.var()
    assert taskcodec.Codec.from_bytes(codec.to_bytes()).fingerprint == codec.fingerprint


def test_constant_features_are_a_column_however_many():
    x = np.ones((5, 5000), np.float32)
    codec = taskcodec.fit(x)
    np.testing.assert_array_equal(codec.decode(codec.encode(x)), x)


def test_views_of_very_many_features_are_refused():
    x = np.random.default_rng(0).normal(size=(4, 5000))
    with pytest.raises(UsageError, match="4,096"):
        taskcodec.fit(x, views=np.stack([x, x]))


@pytest.mark.parametrize("method", ["bottleneck", "dimensionwise"])
@pytest.mark.parametrize("unit", [1e3, 1e5, 1e6, 1e9])
def test_a_feature_in_a_far_larger_unit_spoils_neither_itself_nor_the_rest(x, method, unit):
    y = x.copy()
    y[:, 3] *= unit
    codec = taskcodec.fit(y, bits=120, method=method)
    for found in (codec, taskcodec.adapt(codec, y, bits=120)):
        error = ((found.decode(found.encode(y)) - y) ** 2).mean(axis=0) / y.var(axis=0)
        assert bits(found, y) == pytest.approx(120, rel=0.02)
        assert error[3] < 1e-3
        assert error.mean() < (0.05 if method == "bottleneck" else 0.25)


def test_a_rate_beyond_what_can_be_coded_is_refused():
    x = np.zeros((300, 8), np.float32)
    x[:, 0] = np.random.default_rng(0).normal(size=300)
    with pytest.raises(UsageError, match="these data take at most"):
        taskcodec.fit(x, bits=300)


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
    with pytest.raises(UsageError, match=r"method must be one of .*, found 'foo'"):
        taskcodec.fit(_normal(50, 4), method="foo")


def test_a_refit_is_not_moved_by_one_sample_far_out():
    x = _normal(300, 12).astype(np.float32)
    codec = taskcodec.fit(x, bits=40)
    far = _with(x, 5, 1e8)
    there, usual = taskcodec.adapt(codec, far, 40.0), np.delete(np.arange(300), 5)
    found = there.decode(there.encode(far))
    assert np.sqrt(np.mean((found - far)[usual] ** 2)) < 0.5

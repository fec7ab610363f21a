"""The codec of a collection where none is named: from one sample on, of whatever it consists."""

import numpy as np
import pytest

from taskcodec.codec import Codec
from taskcodec.engines.shift import measure_shift
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting import fit
from taskcodec.fitting.closed_form.default import LEAST_SAMPLES, QUALITIES, axes_bits, fit_usual
from taskcodec.fitting.closed_form.likeness import likeness
from taskcodec.fitting.closed_form.outliers import without_outliers


def low_rank(n, d, rank=8, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(rank, d))
    return (rng.normal(size=(n, rank)) @ directions + noise * rng.normal(size=(n, d))).astype("f4")


def bits(codec, x):
    return float(codec.code_length(codec.encode(x)).mean())


def kept_of(codec, x):
    return likeness(x, codec.decode(codec.encode(x)))


def size(codec, x):
    """What codes and codec take of a store of these samples."""
    return len(x) * bits(codec, x) / 8 + len(codec.to_bytes())


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("d", [1, 2, 8, 64, 640])
@pytest.mark.parametrize("n", [2, 3, 7, 8, 10, 40])
def test_few_samples_are_kept_at_any_dimension(n, d, quality):
    x = low_rank(n, d)
    assert kept_of(fit_usual(x, n, quality=quality), x).variance_kept > 0.93


@pytest.mark.parametrize("d", [1, 8, 64, 640])
def test_one_sample_is_kept(d):
    x = low_rank(1, d)
    codec = fit_usual(x, 1)
    assert np.abs(codec.decode(codec.encode(x)) - x).max() < 0.25 * max(1.0, x.std())


STRANGE = {
    "one row again and again": np.repeat(low_rank(1, 40), 60, 0),
    "two rows again and again": np.repeat(low_rank(2, 40), 30, 0),
    "zeros": np.zeros((60, 8), "f4"),
    "one direction": low_rank(60, 40, rank=1, noise=0),
    "three directions of many": low_rank(60, 400, rank=3, noise=0),
    "one of ten": np.eye(10, dtype="f4")[np.random.default_rng(0).integers(0, 10, 60)],
    "bits": np.random.default_rng(0).integers(0, 2, (60, 100)).astype("f4"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_collections_are_kept(name):
    x = STRANGE[name]
    codec = fit_usual(x, len(x))
    decoded = codec.decode(codec.encode(x))
    assert np.square(decoded - x).mean() <= 0.02 * max(float(x.var()), 1e-6)
    assert bits(codec, x) < 5 * x.shape[1]


def test_a_sample_far_from_the_rest_moves_no_step():
    x = low_rank(600, 64)
    usual = fit_usual(x, 600)
    for row in (0, 7):  # held back, and not
        far = x.copy()
        far[row] = 1e9
        codec, rest = fit_usual(far, 600), np.delete(np.arange(600), row)
        assert kept_of(codec, x[rest]).variance_kept == pytest.approx(kept_of(usual, x[rest]).variance_kept, abs=0.01)
        assert codec.provenance["variance_kept"] == pytest.approx(usual.provenance["variance_kept"], abs=0.01)


@pytest.mark.parametrize(("n", "d"), [(50, 64), (500, 64), (60, 256)])
def test_axes_are_taken_only_where_the_store_becomes_smaller(n, d):
    """Axes of narrow features, at their rate, take tens of kilobytes: more than all their codes, unless few directions
    vary and axes take few bits."""
    x = low_rank(n, d)
    codec = fit_usual(x, n)
    assert size(codec, x) < 4000 + n * d / 2
    assert size(codec, x) <= 1.05 * size(fit(x, bits=1.7 * d, method="dimensionwise"), x)


def test_a_large_collection_has_axes():
    x = low_rank(3000, 256, noise=0.5)
    codec = fit_usual(x, 3000)
    assert codec.provenance["method"] == "bottleneck"
    assert bits(codec, x) == pytest.approx(290, rel=0.02)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("rate", [30.0, 300.0])
def test_a_rate_that_few_axes_cannot_take_is_met_all_the_same(n, rate):
    x = low_rank(n, 400)
    assert bits(fit_usual(x, n, bits=rate), x) == pytest.approx(rate, rel=0.25)


def test_axes_of_a_few_samples_keep_their_mean():
    x = 5 + np.repeat(low_rank(1, 400), 2, 0)  # all alike: whatever the axes are, nothing lies along them
    codec = fit_usual(x, 2, bits=20)
    assert codec.provenance["method"] == "bottleneck"
    np.testing.assert_allclose(codec.decode(codec.encode(x)), x, rtol=2e-3, atol=0.01)


def test_what_is_kept_is_recorded_of_samples_held_back_where_there_are_enough():
    few, many = low_rank(LEAST_SAMPLES - 1, 64), low_rank(400, 64)
    assert fit_usual(few, len(few)).provenance["held_back"] == 0
    for options in ({}, {"bits": 60}):
        codec = fit_usual(many, 400, **options)
        like = kept_of(codec, low_rank(5000, 64)[400:])
        assert codec.provenance["held_back"] == 100
        assert codec.provenance["variance_kept"] == pytest.approx(like.variance_kept, abs=0.02)
        assert codec.provenance["cosine"] == pytest.approx(like.mean_cosine, abs=0.02)


def test_a_rate_that_cannot_be_met_at_all_is_refused():
    with pytest.raises(UsageError, match="nothing to spend"):
        fit_usual(low_rank(1, 400), 1, bits=0.2)
    with pytest.raises(UsageError, match="quality must be one of small, usual, safe, found 'best'"):
        fit_usual(low_rank(10, 4), 10, quality="best")


def spread(n, d=400):
    """Features that vary ever less, without an end."""
    return (np.random.default_rng(2).normal(size=(n, d)) / (1 + np.arange(d)) ** 0.25).astype("f4")


@pytest.mark.parametrize(("n", "rate"), [(64, None), (200, None), (1000, None), (200, 100), (600, 100), (1000, 40)])
def test_like_samples_are_no_shift_and_others_are(n, rate):
    """Of directions that few samples tell of, others of the same kind have less; those of another kind have none."""
    x, elsewhere = spread(3000), spread(500)[:, ::-1]
    codec = fit_usual(x[:n], n, bits=rate)
    assert measure_shift(codec, x[n : n + 500]).warning is None
    assert measure_shift(codec, 3 * elsewhere).warning is not None
    if rate is not None:
        assert codec.columns < 100
        assert measure_shift(codec, elsewhere).directions_shifted


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def strange(n, d):
    """Finite features of every kind that `encode` takes."""
    x, rng = normal(n, d), np.random.default_rng(1)
    outlier, one = x.copy(), np.zeros((n, d))
    outlier[n // 2, d // 2], one[n // 2, d // 2] = 3e8, 1
    return {
        "normal": x,
        "not negative": np.maximum(x, 0),
        "norm 1": x / np.linalg.norm(x, axis=1, keepdims=True),
        "constant": np.full((n, d), 3.3),
        "nearly constant": 5 + 1e-6 * x,
        "units": x * 10.0 ** rng.uniform(-5, 5, d),
        "a constant in a large unit": np.c_[np.full(n, 1e7), x[:, 1:]],
        "duplicates": np.repeat(x[: -(-n // 5)], 5, axis=0)[:n],
        "a value far out": outlier,
        "one that is not zero": one,
        "the first alone varies": np.r_[x[:1], np.zeros((n - 1, d))],
        "tiny": 1e-20 * x,
        "huge": 1e13 * x,
        "heavy tails": rng.standard_t(1.2, size=(n, d)),
        "counts": rng.poisson(0.3, size=(n, d)),
    }


@pytest.mark.parametrize("d", [1, 2, 16, 384, 1280])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 32])
def test_any_features_give_a_codec_that_is_read_as_it_was(n, d):
    for kind, features in strange(n, d).items():
        x = features.astype("f4")
        codec = fit_usual(x, n)
        data = codec.to_bytes()
        assert fit_usual(x.copy(), n).to_bytes() == data, kind
        again, symbols = Codec.from_bytes(data), codec.encode(x)
        assert np.array_equal(again.decode(symbols), codec.decode(symbols)), kind
        assert np.isfinite(codec.decode(symbols)).all(), kind
        found = codec.provenance
        assert found["fitted"] is True
        assert found["held_back"] == (-(-len(without_outliers(x)) // 4) if len(without_outliers(x)) >= 8 else 0), kind
        assert found.get("variance_kept") is None or found["variance_kept"] <= 1, kind
        assert found.get("cosine") is None or -1 <= found["cosine"] <= 1.0001, kind
        if kind == "norm 1" and d > 1:
            np.testing.assert_allclose(np.linalg.norm(codec.decode(symbols), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "d"), [(300, 16), (300, 384), (2000, 16), pytest.param(2000, 384, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_many_samples_of_any_features_give_a_codec(n, d):
    for kind, features in strange(n, d).items():
        x = features.astype("f4")
        codec = Codec.from_bytes(fit_usual(x, n).to_bytes())
        usual = without_outliers(x)
        kept = kept_of(codec, usual).variance_kept
        assert kept is None or kept > 0.35, kind  # least where nothing leads: 290 bits of 384 that are alike
        assert bits(codec, x) < 5.5 * d, kind


@pytest.mark.slow
def test_thousands_of_wide_features_take_seconds():
    x = low_rank(2000, 1280, rank=40, noise=0.1)
    codec = fit_usual(x, 2000)
    assert codec.provenance["method"] == "bottleneck"
    assert codec.provenance["variance_kept"] == pytest.approx(kept_of(codec, x).variance_kept, abs=0.02)
    assert kept_of(codec, x).variance_kept > 0.9


@pytest.mark.parametrize("d", [3, 16, 384])
@pytest.mark.parametrize("n", [1, 7, 8, 300])
def test_a_feature_in_a_large_unit_does_not_silence_the_others(n, d):
    x = normal(n, d).astype("f4")
    x[:, 0] = 1e7 if n < 8 else 1e7 * x[:, 0]  # of few samples a constant is the worst case
    codec = fit_usual(x, n)
    error = np.abs(codec.decode(codec.encode(x)) - x).mean(axis=0)
    assert (error[1:] < 0.5).all()
    assert error[0] < 0.3e7


@pytest.mark.parametrize("n", [8, 40, 300])
def test_features_in_units_of_their_own_are_all_kept(n):
    """As columns of a table are: years, prices, shares."""
    units = np.array([1e5, 7e3, 1e3, 40, 12, 10, 1, 0.3, 0.01, 1e-4])
    x = (units * (normal(n, 10) + 3)).astype("f4")
    codec = fit_usual(x, n)
    decoded = codec.decode(codec.encode(x))
    assert (1 - np.square(decoded - x).sum(axis=0) / np.square(x - x.mean(axis=0)).sum(axis=0) > 0.9).all()


@pytest.mark.parametrize("quality", QUALITIES)
def test_sparse_features_are_no_other_unit(quality):
    """Rare words are as large as frequent ones where they are."""
    rng = np.random.default_rng(0)
    x = (rng.random((200, 400)) < 1 / (1 + np.arange(400))) * rng.uniform(0.5, 1, (200, 400))
    assert (fit_usual(x.astype("f4"), 200, quality=quality).base.transform.scale == 1).all()


@pytest.mark.parametrize("rate", [512, 1024])
@pytest.mark.parametrize("n", [28, 32])
@pytest.mark.parametrize("d", [384, 1280])
@pytest.mark.slow
def test_other_samples_of_the_source_take_about_the_rate_of_those_it_was_fitted_to(n, d, rate):
    rng = np.random.default_rng(0)
    x = np.maximum(low_rank(600, d, rank=60, noise=1) * rng.uniform(0.2, 2, d), 0).astype("f4")
    for codec in (fit(x[:n], bits=rate), fit_usual(x[:n], n, bits=rate)):
        assert bits(codec, x[:n]) == pytest.approx(rate, rel=0.01)
        assert bits(codec, x[n:]) < 1.3 * rate
    assert bits(fit_usual(x[:n], n), x[n:]) < 1.3 * bits(fit_usual(x[:n], n), x[:n])


def test_more_quality_keeps_more():
    for n in (1, 30, 1000):
        x, found = low_rank(n, 200, rank=100, noise=0.5), []
        for quality in QUALITIES:
            codec = fit_usual(x, n, quality=quality)
            found.append((bits(codec, x), -np.square(codec.decode(codec.encode(x)) - x).mean()))
        assert found == sorted(found), n


def test_the_rate_of_axes_falls_with_the_number_of_samples():
    for quality in QUALITIES:
        rates = [axes_bits(n, 1280, quality) for n in (1000, 3000, 10**4, 10**5, 10**6, 10**12)]
        assert rates == sorted(rates, reverse=True)
        assert axes_bits(1, 3, quality) <= 12


def test_nobody_asks_a_store_for_another_rate():
    codec = fit_usual(low_rank(40, 64), 40)
    assert codec.base.sketch.shape == (0, codec.columns)
    assert len(codec.to_bytes()) < 5000


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (np.zeros(8), r"\(n, d\) array, found \(8,\)"),
        (np.zeros((0, 8)), r"found \(0, 8\)"),
        (np.zeros((8, 0)), r"found \(8, 0\)"),
        ([[1.0, np.nan]], "NaN or infinity"),
        ([[1.0, 1e16]], "beyond 1e\\+15"),
        ("abc", "numbers"),
    ],
)
def test_what_are_no_features_is_refused(wrong, fault):
    with pytest.raises(MismatchError, match=fault):
        fit_usual(wrong, 1)

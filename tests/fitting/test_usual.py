"""The codec of a collection where none is named: from one sample on, of whatever it consists."""

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.shift import measure_shift
from taskcodec.fitting.usual import LEAST_SAMPLES, QUALITIES, fit_usual, kept_of


def low_rank(n, d, rank=8, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(rank, d))
    return (rng.normal(size=(n, rank)) @ directions + noise * rng.normal(size=(n, d))).astype("f4")


def bits(codec, x):
    return float(codec.tables.code_length(codec.encode(x)).mean())


def size(codec, x):
    """What codes and codec take of a store of these samples."""
    return len(x) * bits(codec, x) / 8 + len(codec.to_bytes())


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("d", [1, 2, 8, 64, 640])
@pytest.mark.parametrize("n", [2, 3, 7, 8, 10, 40])
def test_few_samples_are_kept_at_any_dimension(n, d, quality):
    x = low_rank(n, d)
    assert kept_of(fit_usual(x, n, quality=quality), x).variance > 0.93


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
        assert kept_of(codec, x[rest]).variance == pytest.approx(kept_of(usual, x[rest]).variance, abs=0.01)
        assert codec.provenance["variance_kept"] == pytest.approx(usual.provenance["variance_kept"], abs=0.01)


@pytest.mark.parametrize(("n", "d"), [(50, 64), (500, 64), (60, 256)])
def test_axes_are_taken_only_where_the_store_becomes_smaller(n, d):
    """Axes of narrow features, at their rate, take tens of kilobytes: more than all their codes."""
    x = low_rank(n, d)
    codec = fit_usual(x, n)
    assert codec.provenance["method"] == "dimensionwise"
    assert size(codec, x) < 4000 + n * d / 2


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


def test_what_is_kept_is_recorded_of_samples_held_back_or_not_at_all():
    few, many = low_rank(LEAST_SAMPLES - 1, 64), low_rank(400, 64)
    assert fit_usual(few, len(few)).provenance["held_back"] == 0
    assert not {"variance_kept", "cosine"} & fit_usual(few, len(few)).provenance.keys()
    for options in ({}, {"bits": 60}):
        codec = fit_usual(many, 400, **options)
        like = kept_of(codec, low_rank(5000, 64)[400:])
        assert codec.provenance["held_back"] == 100
        assert codec.provenance["variance_kept"] == pytest.approx(like.variance, abs=0.02)
        assert codec.provenance["cosine"] == pytest.approx(like.cosine, abs=0.02)


def test_a_rate_that_cannot_be_met_at_all_is_refused():
    with pytest.raises(UsageError, match="nothing to spend"):
        fit_usual(low_rank(1, 400), 1, bits=0.2)
    with pytest.raises(UsageError, match="quality 'best'"):
        fit_usual(low_rank(10, 4), 10, quality="best")


@pytest.mark.parametrize("n", [64, 200, 600])
@pytest.mark.parametrize("rate", [40.0, None])
def test_like_samples_are_no_shift_and_others_are(n, rate):
    """Few axes are fitted where few samples tell of them: others of the same kind lie outside by as much."""
    x = low_rank(3000, 128, rank=30, noise=0.5)
    codec = fit_usual(x[:n], n, bits=rate)
    assert measure_shift(codec, x[n : n + 500]).warning is None
    elsewhere = low_rank(500, 128, rank=30, noise=0.5, seed=1)
    assert measure_shift(codec, 3 * elsewhere).warning is not None
    if rate is not None:
        assert codec.columns < 128
        assert measure_shift(codec, elsewhere).directions_shifted

"""A fitted linear map as coded axes: what it costs in error, what it saves in bytes, where it is left alone."""

import numpy as np
import pytest

import taskcodec.fitting.closed_form.fit as closed_form
from taskcodec.codec import Codec
from taskcodec.fitting import fit
from taskcodec.fitting.closed_form.coded_axes import with_coded_axes

RNG = np.random.default_rng(0)
X = (
    RNG.normal(size=(900, 30)) * 0.9 ** np.arange(30) @ RNG.normal(size=(30, 200)) + 0.3 * RNG.normal(size=(900, 200))
).astype("f4")


@pytest.fixture
def with_matrices(monkeypatch):
    """Fits that keep both matrices."""

    def fitted(x, **options):
        with monkeypatch.context() as patch:
            patch.setattr(closed_form, "with_coded_axes", lambda codec, x, bits: codec)
            return fit(x, method="bottleneck", **options)

    return fitted


def error(codec, x):
    return float(np.square(codec.decode(codec.encode(x)) - x, dtype="f8").sum(axis=1).mean())


def bits(codec, x):
    return float(codec.code_length(codec.encode(x)).mean())


@pytest.mark.parametrize("kind", ["signed", "not negative", "norm 1", "far from 0"])
@pytest.mark.parametrize("rate", [40.0, 150.0, 800.0])
def test_little_error_is_added_and_many_bytes_saved(with_matrices, kind, rate):
    x = {"signed": X, "not negative": np.abs(X), "far from 0": X + 300}.get(kind)
    x = X / np.linalg.norm(X, axis=1, keepdims=True) if x is None else x
    before = with_matrices(x, bits=rate)
    after = with_coded_axes(before, x, rate)
    assert bits(after, x) == pytest.approx(rate, rel=0.01)
    assert error(after, x) < 1.06 * error(before, x)  # 2 % by the axes, the rest by the codes
    assert after.base.transform.unit_norm == before.base.transform.unit_norm == (kind == "norm 1")
    assert after.columns == before.columns
    both = before.base.transform.analysis_matrix.size + before.base.transform.synthesis_matrix.size
    assert len(after.base.transform.axes.to_bytes()) < 2 * both / (3 if rate == 800 else 4)
    assert Codec.from_bytes(after.to_bytes()).fingerprint == after.fingerprint
    assert len(after.to_bytes()) < len(before.to_bytes())


def test_a_step_that_was_given_stays(with_matrices):
    before = with_matrices(X, step=2.0)
    after = with_coded_axes(before, X, None)
    assert after.base.quantizer.step == before.base.quantizer.step
    assert bits(after, X) == pytest.approx(bits(before, X), rel=0.02)
    assert fit(X, step=2.0).base.quantizer.step == before.base.quantizer.step


@pytest.mark.parametrize("unit", [1e4, 1e6])
def test_one_axis_in_a_far_larger_unit_coarsens_no_other(with_matrices, unit):
    x = X.copy()
    x[:, 0] *= unit
    before = with_matrices(x, bits=300)
    after = with_coded_axes(before, x, 300)
    lost = [np.square(codec.decode(codec.encode(x)) - x)[:, 1:].mean() for codec in (before, after)]
    assert lost[1] < 1.1 * lost[0]


def test_a_centre_takes_16_bits_where_that_costs_nothing():
    centre = fit(X, bits=100).base.transform.centre
    assert np.array_equal(centre, centre.astype("f2"))
    far = fit(X - 1000, bits=800).base.transform.centre  # steps of 16 bits are 0.5 there
    assert not np.array_equal(far, far.astype("f2"))
    assert np.abs(far - (X - 1000).mean(axis=0, dtype="f8")).max() < 1e-3


def test_a_codec_without_a_map_is_left_alone():
    plain = fit(X, bits=300, method="dimensionwise")
    assert with_coded_axes(plain, X, 300) is plain


def test_a_map_of_views_keeps_its_matrices():
    codec = fit(X, bits=60, views=np.stack([X, X + RNG.normal(size=X.shape).astype("f4")]))
    assert codec.base.transform.axes is None
    assert codec.base.transform.analysis_matrix is not None


def test_a_larger_map_than_files_may_hold_keeps_its_matrices(with_matrices, monkeypatch):
    before = with_matrices(X, bits=60)
    monkeypatch.setattr(
        "taskcodec.fitting.closed_form.coded_axes.MAX_NUMBERS", before.base.transform.synthesis_matrix.size - 1
    )
    assert with_coded_axes(before, X, 60) is before

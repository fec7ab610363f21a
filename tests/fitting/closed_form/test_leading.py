"""Covariances, and their leading axes against numpy's."""

import numpy as np
import pytest

from taskcodec.fitting.closed_form.leading import SHRINKAGE_SAMPLES, covariance_of, leading_axes, shrink

D = 400
SPECTRA = {
    "falling by powers": 1.0 / (1 + np.arange(D)),
    "falling fast": 0.8 ** np.arange(D),
    "falling out of sight": 1e-3 ** np.arange(D),
    "flat": np.ones(D),
    "flat but for one": np.r_[1e6, np.ones(D - 1)],
    "rank 5": np.r_[np.full(5, 3.0), np.zeros(D - 5)],
    "rank 1": np.r_[1.0, np.zeros(D - 1)],
    "nothing": np.zeros(D),
    "tiny": 1e-12 / (1 + np.arange(D)),
    "huge": 1e12 / (1 + np.arange(D)),
}


def with_spectrum(values, seed=0):
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return (basis * values) @ basis.T


@pytest.mark.parametrize("kind", SPECTRA)
@pytest.mark.parametrize("count", [3, 20, 90])
def test_leading_axes_capture_what_numpys_capture(kind, count):
    covariance = with_spectrum(SPECTRA[kind])
    values, axes = leading_axes(covariance, count)
    assert values.shape == (count,)
    assert axes.shape == (D, count)
    np.testing.assert_allclose(axes.T @ axes, np.eye(count), atol=1e-9)
    assert (np.diff(values) >= -1e-12 * abs(values).max()).all()
    np.testing.assert_allclose(np.einsum("dk,dk->k", axes, covariance @ axes), values, atol=1e-9 * values.max())
    kept = count // 3  # of those asked for, a codec keeps a third
    best = np.linalg.eigvalsh(covariance)[-kept:].sum()
    captured = np.trace(axes[:, -kept:].T @ covariance @ axes[:, -kept:])
    assert best * (1 + 1e-9) >= captured >= best * (1 - (1e-2 if count == 3 else 1e-4))


@pytest.mark.parametrize("count", [200, 399, 400, 1000])
def test_of_many_axes_numpys_are_taken(count):
    covariance = with_spectrum(SPECTRA["falling by powers"])
    values, axes = leading_axes(covariance, count)
    wanted = np.linalg.eigh(covariance)
    assert np.array_equal(values, wanted[0][-count:])
    assert np.array_equal(axes, wanted[1][:, -count:])


def test_axes_are_the_same_each_time():
    covariance = with_spectrum(SPECTRA["flat"])
    first, again = leading_axes(covariance, 10), leading_axes(covariance.copy(), 10)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_covariance_is_numpys():
    x = (5 + np.random.default_rng(0).normal(size=(50, 7))).astype("f4")
    np.testing.assert_allclose(covariance_of(x), np.cov(x.astype("f8"), rowvar=False), rtol=1e-9)
    assert (covariance_of(x[:1]) == 0).all()


def test_shrinking_keeps_the_variances_and_weakens_the_rest():
    covariance = with_spectrum(SPECTRA["falling fast"])
    for samples in (1, 40, 10**9):
        shrunk, weight = shrink(covariance, samples), D * SHRINKAGE_SAMPLES / (samples + D * SHRINKAGE_SAMPLES)
        np.testing.assert_allclose(np.diag(shrunk), np.diag(covariance))
        np.testing.assert_allclose(shrunk[0, 1:], (1 - weight) * covariance[0, 1:])
        assert np.linalg.eigvalsh(shrunk).min() >= -1e-12

"""Variance kept and cosine: closed form, block by block, and where they have no meaning."""

import numpy as np
import pytest

from taskcodec.fitting.closed_form import likeness as module
from taskcodec.fitting.closed_form.likeness import likeness

RNG = np.random.default_rng(0)
RAW = (RNG.normal(size=(300, 12)) * np.arange(1, 13) + 2).astype("f4")
NOISY = (RAW + RNG.normal(size=RAW.shape)).astype("f4")


def test_against_the_definitions(monkeypatch):
    x, y = RAW.astype("f8"), NOISY.astype("f8")
    lost, varies = np.square(x - y).sum(axis=0), np.square(x - x.mean(axis=0)).sum(axis=0)
    for rows in (2**14, 7):
        monkeypatch.setattr(module, "BLOCK_ROWS", rows)
        found = likeness(RAW, NOISY)
        assert found.variance_kept == pytest.approx(1 - lost.sum() / varies.sum(), rel=1e-9)
        assert found.of_median_feature == pytest.approx(np.median(1 - lost / varies), rel=1e-9)
        cosines = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
        assert found.mean_cosine == pytest.approx(cosines.mean(), rel=1e-9)


def test_one_large_feature_hides_in_the_mean_what_the_median_shows():
    x = RAW.copy()
    x[:, 0] *= 1e4
    kept = np.where(np.arange(12) == 0, x, x.mean(axis=0)).astype("f4")
    found = likeness(x, kept)
    assert found.variance_kept > 0.999
    assert found.of_median_feature == pytest.approx(0, abs=1e-6)


def test_what_cannot_be_told_is_none():
    same = np.repeat(RAW[:1], 9, axis=0)
    found = likeness(same, same + 1)
    assert (found.variance_kept, found.of_median_feature) == (None, None)
    assert found.mean_cosine is not None
    assert likeness(np.zeros((3, 2), "f4"), np.ones((3, 2), "f4")).mean_cosine is None
    assert likeness(RAW, np.zeros_like(RAW)).mean_cosine == 0
    constant = np.c_[RAW, np.ones(300)].astype("f4")
    assert likeness(constant, constant + np.eye(13, dtype="f4")[12]).of_median_feature == 1

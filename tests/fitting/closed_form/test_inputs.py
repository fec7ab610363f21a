"""What fits are given: which features they take, and where their centre is."""

import numpy as np
import pytest

from taskcodec.errors import MismatchError
from taskcodec.fitting.closed_form.inputs import CENTRE_SAMPLES, LARGEST, LONE_CENTRE, centre_of, checked, is_unit_norm

RNG = np.random.default_rng(0)


def test_the_centre_of_enough_samples_is_their_mean():
    x = (RNG.normal(size=(CENTRE_SAMPLES, 40)) + np.arange(40)).astype("f4")
    np.testing.assert_allclose(centre_of(x), x.mean(axis=0, dtype="f8"))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_centre_of_few_is_shrunk_to_the_median_feature(n):
    x = (3 + RNG.normal(size=(n, 2001))).astype("f4")
    mean, weight = x.mean(axis=0, dtype="f8"), LONE_CENTRE / (n + LONE_CENTRE)
    np.testing.assert_allclose(centre_of(x), (1 - weight) * mean + weight * np.median(mean), atol=1e-9)
    other = (3 + RNG.normal(size=(500, 2001))).astype("f4")
    assert np.square(centre_of(x) - other.mean(axis=0)).mean() < np.square(mean - other.mean(axis=0)).mean()


@pytest.mark.parametrize("n", [2, 3, 7])
def test_it_is_hardly_shrunk_where_features_are_in_different_units(n):
    x = RNG.normal(size=(n, 20)).astype("f4")
    x[:, 4] = 1e7
    assert np.abs(centre_of(x) - x.mean(axis=0)).max() < 1e-3
    assert np.array_equal(centre_of(np.full((n, 1), 3.5, "f4")), [3.5])


def test_norm_1_is_told():
    x = RNG.normal(size=(30, 9)).astype("f4")
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert is_unit_norm(unit)
    assert is_unit_norm(unit.astype("f2").astype("f4"))
    assert not is_unit_norm(1.01 * unit)
    assert not is_unit_norm(np.r_[unit, x[:1]])
    assert not is_unit_norm(np.ones((5, 1), "f4"))  # a single feature says nothing of directions


def test_what_are_no_features_is_refused():
    for wrong in (np.zeros(3), np.zeros((2, 0)), np.full((2, 2), np.inf), np.full((2, 2), 2 * LARGEST)):
        with pytest.raises(MismatchError):
            checked(wrong)
    assert checked([[1, 2], [3, 4]]).dtype == np.float32

"""The covariance within views: what differs between views of one image."""

import numpy as np
import pytest

from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting import fit, within_covariance


def test_views_that_differ_in_one_direction_give_its_covariance():
    rng = np.random.default_rng(0)
    direction = np.array([3.0, 4.0, 0.0, 0.0], "f4") / 5
    images = rng.normal(size=(1, 4000, 4)).astype("f4")
    views = images + 2.0 * rng.normal(size=(3, 4000, 1)).astype("f4") * direction
    np.testing.assert_allclose(within_covariance(views), 4.0 * np.outer(direction, direction), atol=0.15)


def test_one_view_says_nothing():
    with pytest.raises(MismatchError, match="v >= 2"):
        within_covariance(np.zeros((1, 5, 4), "f4"))


def test_views_of_other_features_are_refused():
    x = np.random.default_rng(2).normal(size=(200, 8)).astype("f4")
    with pytest.raises(MismatchError, match="views of 3 features"):
        fit(x, bits=16, views=np.stack([x[:, :3], x[:, :3] + 1]))


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6, 1e12])
def test_the_unit_of_the_features_does_not_matter(unit):
    from taskcodec.codec import Codec

    x = (np.random.default_rng(3).normal(size=(400, 8)) * unit).astype("f4")
    codec = Codec.from_bytes(fit(x, bits=24).to_bytes())
    error = codec.decode(codec.encode(x)) / unit - x / unit
    assert float((error**2).mean()) < 0.05


def test_few_samples_meet_the_rate_though_most_columns_are_silent():
    x = np.random.default_rng(4).normal(size=(36, 1280)).astype("f4")
    codec = fit(x, bits=300)
    assert codec.columns < 1280
    assert float(codec.code_length(codec.encode(x)).mean()) == pytest.approx(300, rel=0.02)


@pytest.mark.parametrize("unit", [1e-25, 1e-6, 1e-3, 1e6, 1e12])
def test_the_unit_of_features_and_views_does_not_matter(unit):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 8))
    views = x[:100] + 0.1 * rng.normal(size=(3, 100, 8))
    codec = fit((x * unit).astype("f4"), bits=24, views=(views * unit).astype("f4"))
    decoded = codec.decode(codec.encode((x * unit).astype("f4"))).astype("f8") / unit
    assert float(((decoded - x) ** 2).mean()) < 0.05


def test_views_that_hardly_differ_are_no_matter_of_half_precision():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(400, 8)).astype("f4")
    codec = fit(x, bits=24, views=x[:100] + 1e-6 * rng.normal(size=(3, 100, 8)).astype("f4"))
    assert float(((codec.decode(codec.encode(x)) - x) ** 2).mean()) < 0.05


def test_views_that_do_not_differ_are_refused():
    x = np.random.default_rng(7).normal(size=(100, 8)).astype("f4")
    with pytest.raises(UsageError, match="views: those of each image are all the same"):
        fit(x, bits=24, views=np.stack([x, x]))

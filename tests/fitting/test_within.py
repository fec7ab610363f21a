"""The covariance within views: what differs between views of one image, packed small for a bundled backbone."""

import numpy as np
import pytest

from taskcodec.errors import MismatchError
from taskcodec.fitting import bundled_within, fit, within_covariance
from taskcodec.fitting.within import pack_within, unpack_within


def test_views_that_differ_in_one_direction_give_its_covariance():
    rng = np.random.default_rng(0)
    direction = np.array([3.0, 4.0, 0.0, 0.0], "f4") / 5
    images = rng.normal(size=(1, 4000, 4)).astype("f4")
    views = images + 2.0 * rng.normal(size=(3, 4000, 1)).astype("f4") * direction
    np.testing.assert_allclose(within_covariance(views), 4.0 * np.outer(direction, direction), atol=0.15)


def test_one_view_says_nothing():
    with pytest.raises(MismatchError, match="v >= 2"):
        within_covariance(np.zeros((1, 5, 4), "f4"))


def test_packing_keeps_the_leading_axes_and_the_trace():
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    within = (basis * np.r_[np.full(15, 0.01), 1.0, 2.0, 3.0, 4.0, 5.0]) @ basis.T
    again = unpack_within(pack_within(within, axes=5))
    assert np.trace(again) == pytest.approx(np.trace(within), rel=1e-3)
    np.testing.assert_allclose(again, within, atol=0.02)


def test_the_bundled_covariance_is_one_and_fits_lite0():
    within = bundled_within("lite0")
    assert within is not None
    assert within.shape == (1280, 1280)
    assert np.linalg.eigvalsh(within)[0] >= -1e-9
    assert bundled_within("timm:resnet18") is None
    assert bundled_within("../lite0") is None


def test_fit_spends_less_on_what_views_change():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2000, 8)).astype("f4")
    noise = np.diag([100.0] + [0.01] * 7)
    error = (lambda c: ((c.decode(c.encode(x)) - x) ** 2).mean(axis=0))(fit(x, bits=16, within=noise))
    plain = (lambda c: ((c.decode(c.encode(x)) - x) ** 2).mean(axis=0))(fit(x, bits=16))
    assert error[0] > 2 * plain[0]
    assert error[1:].mean() < plain[1:].mean()
    with pytest.raises(MismatchError, match="within views"):
        fit(x, bits=16, within=np.eye(3))


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
    assert float(codec.tables.code_length(codec.encode(x)).mean()) == pytest.approx(300, rel=0.02)

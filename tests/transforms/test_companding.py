import numpy as np
import pytest

from taskcodec.transforms.companding import COMPANDINGS, choose_companding, compand, expand


@pytest.mark.parametrize("kind", COMPANDINGS)
def test_each_curve_has_an_inverse_and_keeps_shape_type_and_sign(kind):
    x = (3 * np.random.default_rng(0).normal(size=(50, 4))).astype("f4")
    y = compand(x, kind)
    assert (y.shape, y.dtype) == (x.shape, np.float32)
    assert (np.sign(y) == np.sign(x)).all()
    np.testing.assert_allclose(expand(y, kind), x, rtol=1e-6)


def test_the_root_is_coarse_where_features_are_large():
    x = np.array([0.0, 0.01, 4.0, -9.0], np.float32)
    assert compand(x, "sqrt").tolist() == pytest.approx([0, 0.1, 2, -3])
    step = np.diff(expand(np.array([0.0, 0.1, 2.0, 2.1], np.float32), "sqrt"))
    assert step[2] > 40 * step[0]


@pytest.mark.parametrize(
    ("features", "kind"), [([[0.0, 2.0]], "sqrt"), ([[-1e-6, 2.0]], "identity"), (np.empty((0, 3)), "identity")]
)
def test_the_root_is_for_features_of_one_sign(features, kind):
    assert choose_companding(np.asarray(features, np.float32)) == kind

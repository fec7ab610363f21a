"""The closed-form transforms: analysis and synthesis invert one another, with and without a linear map."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.affine import AffineTransform, outside_share
from taskcodec.transforms.axes import round_axes

RNG = np.random.default_rng(0)
CENTRE = RNG.normal(size=12).astype("f4")
BASIS = np.linalg.qr(RNG.normal(size=(12, 12)))[0].astype("f4")


def transform(kind, companding="identity", columns=12, **more):
    """Of 12 features: "plain", "matrices" or "axes"."""
    scale = (2.0 ** -np.arange(columns)).astype("f4")
    centre = np.abs(CENTRE) if companding == "sqrt" else CENTRE
    if kind == "matrices":
        more |= {"analysis_matrix": BASIS[:, :columns], "synthesis_matrix": BASIS[:, :columns].T.copy()}
    if kind == "axes":
        more["axes"] = round_axes(BASIS[:, :columns].astype("f8"), np.ones(columns), 1e-3)
    return AffineTransform(companding, centre, scale, **more)


@pytest.mark.parametrize("companding", ["identity", "sqrt"])
@pytest.mark.parametrize("kind", ["plain", "matrices", "axes"])
def test_with_all_columns_nothing_is_lost(kind, companding):
    x = RNG.normal(size=(50, 12)).astype("f4")
    x = np.abs(x) if companding == "sqrt" else x
    given_back = transform(kind, companding).synthesise(transform(kind, companding).analyse(x))
    np.testing.assert_allclose(given_back, x, atol=1e-4)
    assert given_back.dtype == np.float32


@pytest.mark.parametrize("kind", ["matrices", "axes"])
def test_of_fewer_columns_the_nearest_point_comes_back(kind):
    fewer, x = transform(kind, columns=5), RNG.normal(size=(50, 12)).astype("f4")
    latent = fewer.analyse(x)
    assert latent.shape == (50, 5)
    projected = fewer.synthesise(latent)
    np.testing.assert_allclose(fewer.synthesise(fewer.analyse(projected)), projected, atol=1e-4)
    assert np.abs((x - projected) @ (projected - CENTRE).T).diagonal().max() < 1e-3


def test_matrices_and_axes_of_one_basis_agree():
    x = RNG.normal(size=(20, 12)).astype("f4")
    fine = round_axes(BASIS[:, :5].astype("f8"), np.ones(5), 1e-9)
    matrices, axes = transform("matrices", columns=5), transform("axes", columns=5, axes=fine)
    axes = AffineTransform("identity", axes.centre, axes.scale, axes=fine)
    np.testing.assert_allclose(axes.analyse(x), matrices.analyse(x), atol=1e-3)
    np.testing.assert_allclose(axes.synthesise(axes.analyse(x)), matrices.synthesise(matrices.analyse(x)), atol=1e-4)


@pytest.mark.parametrize("companding", ["identity", "sqrt"])
@pytest.mark.parametrize("kind", ["plain", "matrices", "axes"])
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e6]))
@example(300495, 1e6)
@settings(max_examples=20, deadline=None)
def test_features_of_norm_1_come_back_with_norm_1(kind, companding, seed, size):
    """Within what single precision holds, whatever became of the latent; but for rows that sqrt clips to zeros."""
    latent = (size * np.random.default_rng(seed).normal(size=(30, 12))).astype("f4")
    x = transform(kind, companding, unit_norm=True).synthesise(latent)
    free = transform(kind, companding).synthesise(latent)
    zeros = (free == 0).all(axis=1)
    assert not zeros.any() or companding == "sqrt"
    assert (x[zeros] == 0).all()
    x, free = x[~zeros], free[~zeros]
    np.testing.assert_allclose(np.linalg.norm(x.astype("f8"), axis=1), 1, atol=3e-7)
    np.testing.assert_allclose(x, free / np.linalg.norm(free.astype("f8"), axis=1, keepdims=True), atol=1e-6)


def test_zeros_have_no_norm_to_give_back():
    zero = AffineTransform("identity", np.zeros(3, "f4"), np.ones(3, "f4"), unit_norm=True)
    assert (zero.synthesise(np.zeros((2, 3), "f4")) == 0).all()


def test_sqrt_makes_no_small_negative_a_positive():
    x = transform("plain", "sqrt").synthesise(np.full((1, 12), -1e3, "f4"))
    assert (x == 0).all()


@pytest.mark.parametrize("kind", ["matrices", "axes"])
def test_some_columns_are_the_others_without_them(kind):
    whole, keep = transform(kind, unit_norm=True), np.array([7, 2, 5])
    some, x = whole.take(keep), RNG.normal(size=(20, 12)).astype("f4")
    assert some.columns == 3
    assert some.unit_norm
    if kind == "matrices":
        np.testing.assert_allclose(some.analyse(x), whole.analyse(x)[:, keep], rtol=1e-4, atol=1e-4)
    latent = np.zeros((20, 12), "f4")
    latent[:, keep] = RNG.normal(size=(20, 3))
    np.testing.assert_allclose(some.synthesise(latent[:, keep]), whole.synthesise(latent), atol=1e-6)


def test_what_is_lost_outside_the_axes():
    exact = AffineTransform(
        "identity",
        np.zeros(4, "f4"),
        np.ones(2, "f4"),
        analysis_matrix=np.eye(4, 2, dtype="f4"),
        synthesis_matrix=np.eye(2, 4, dtype="f4"),
    )
    x = np.diag([1.0, 1.0, 1.0, 1.0]).astype("f4")
    x = np.r_[x, -x]
    assert outside_share(exact, x) == pytest.approx(0.5)
    assert outside_share(exact, x[:, [2, 3, 0, 1]] * [0, 0, 1, 1]) == pytest.approx(1)
    assert outside_share(exact, np.ones((3, 4), "f4")) == 0  # nothing varies
    assert outside_share(transform("plain"), x[:, :1]) == 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"companding": "log"}, "companding 'log' is not one of identity, sqrt"),
        ({"scale": np.zeros(12, "f4")}, "not positive"),
        ({"scale": np.ones(5, "f4")}, "both of its matrices"),
        ({"analysis_matrix": BASIS}, "both of its matrices"),
        ({"analysis_matrix": BASIS, "synthesis_matrix": BASIS[:5]}, "shapes of the transform's matrices"),
        ({"axes": round_axes(BASIS[:, :5].astype("f8"), np.ones(5), 1e-3)}, "as many axes, and no matrices"),
        (
            {
                "axes": round_axes(BASIS.astype("f8"), np.ones(12), 1e-3),
                "analysis_matrix": BASIS,
                "synthesis_matrix": BASIS,
            },
            "as many axes, and no matrices",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parts_that_do_not_fit_are_refused(change, fault):
    parts = {"companding": "identity", "centre": CENTRE, "scale": np.ones(12, "f4"), **change}
    with pytest.raises(CorruptFileError, match=fault):
        AffineTransform(**parts)


@pytest.mark.parametrize("shape", [(3, 5), (12,), (2, 3, 12)])
def test_features_of_another_shape_are_refused(shape):
    with pytest.raises(MismatchError, match=r"expected features of shape \(n, 12\)"):
        transform("axes").analyse(np.zeros(shape))

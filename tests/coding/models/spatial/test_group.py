from dataclasses import fields, replace

import numpy as np
import pytest

from taskcodec.coding.models.spatial import group as module
from taskcodec.coding.models.spatial.group import Checkerboard, SpatialGroup
from taskcodec.errors import CorruptFileError
from tests.coding.models.spatial.random_tables import convolution, group

RNG = np.random.default_rng(0)
FEATURES = RNG.integers(0, 200, (2, 5, 4, 3)).astype(np.float64)
BEFORE = RNG.integers(-9, 9, (2, 5, 4, 2)).astype(np.int32)
OWN = RNG.integers(-9, 9, (2, 5, 4, 4)).astype(np.int32)
ODD = (np.arange(5)[:, None] + np.arange(4)) % 2 == 1


def made(**kinds):
    return group(np.random.default_rng(1), 4, 3, 2, **kinds)


def said(one, features=FEATURES, before=BEFORE, own=OWN):
    """(n, h, w, outputs) of all passes; each place is in one."""
    passes = list(one.passes(features, before, own))
    found = np.concatenate([out for _, out in passes], axis=1)
    places = np.concatenate([places for places, _ in passes])
    assert sorted(places) == list(range(20))
    return found[:, np.argsort(places)].reshape(2, 5, 4, -1)


def test_a_second_pass_reads_only_what_the_first_has_coded():
    one = made()
    whole = said(one)
    assert np.array_equal(said(one, own=np.where(ODD[..., None], 77, OWN).astype(np.int32)), whole)
    changed = OWN.copy()
    changed[:, 2, 2] += 5
    differs = (said(one, own=changed) != whole).any(axis=(0, 3))
    assert differs.any()
    assert not differs[~ODD].any()


def test_in_one_pass_a_group_does_not_read_itself():
    one = made(checkerboard=False)
    assert np.array_equal(said(one, own=OWN + 1), said(one))
    assert not np.array_equal(said(one, before=BEFORE + 1), said(one))
    assert not np.array_equal(said(one, features=FEATURES + 40), said(one))


@pytest.mark.parametrize("slices", [module.SLICE_VALUES, 1])
def test_the_checkerboard_is_a_convolution_over_the_other_colour(slices, monkeypatch):
    monkeypatch.setattr(module, "SLICE_VALUES", slices)
    taps = Checkerboard(RNG.integers(-9, 10, (3, 12, 2)), RNG.integers(-9, 9, 3), 6)
    full = np.zeros((3, 25, 2), np.int64)
    full[:, 1::2] = taps.weights
    x = RNG.integers(-9, 9, (2, 5, 4, 2))
    dense = replace(convolution(RNG, 2, 3, 5), weights=full.reshape(3, 5, 5, 2), bias=taps.bias)
    expected = dense.sums(np.clip(x, -6, 6).astype(np.float64)).reshape(2, 20, 3)
    for places in (np.flatnonzero(ODD), np.array([], np.int64), np.array([19])):
        assert np.array_equal(taps(x.astype(np.int32), places), expected[:, places])


@pytest.mark.parametrize(
    "change",
    [
        {"mix": convolution(RNG, 5, 6, 3)},
        {"mix": convolution(RNG, 5, 7, 1)},
        {"rest": ()},
        {"rest": (convolution(RNG, 6, 4, 1, stride=2),)},
        {"rest": (convolution(RNG, 6, 4, 1, grow=2),)},
        {"rest": (convolution(RNG, 6, 5, 1),)},
        {"rest": (convolution(RNG, 6, 7, 1), convolution(RNG, 6, 4, 1))},
        {"rest": (convolution(RNG, 6, 4, 1, weight=2**50),)},
        {"cap": 2**21},
        {"columns": 0},
        {"context": Checkerboard(np.ones((6, 12, 3), np.int64), np.zeros(6, np.int64), 1)},
        {"context": Checkerboard(np.ones((5, 12, 4), np.int64), np.zeros(5, np.int64), 1)},
    ],
)
def test_what_is_no_group_is_refused(change):
    right = {field.name: getattr(made(), field.name) for field in fields(SpatialGroup)}
    with pytest.raises(CorruptFileError, match=r"spatial group|convolutions"):
        SpatialGroup(**{**right, **change})


@pytest.mark.parametrize(
    ("weights", "bias", "reach"),
    [((3, 12, 2), 4, 1), ((3, 11, 2), 3, 1), ((3, 12), 3, 1), ((3, 12, 2), 3, 2**21), ((3, 12, 2), 3, -1)],
)
def test_what_is_no_checkerboard_is_refused(weights, bias, reach):
    with pytest.raises(CorruptFileError, match="checkerboard"):
        Checkerboard(np.ones(weights, np.int64), np.zeros(bias, np.int64), reach)


def test_features_and_groups_before_that_do_not_fit_are_refused():
    one = made()
    one.check(3, 255, 2)
    for features, before in ((4, 2), (3, 3)):
        with pytest.raises(CorruptFileError, match=r"does not fit|features"):
            one.check(features, 255, before)
    with pytest.raises(CorruptFileError, match="exactly"):
        one.check(3, 2**50, 2)
    heavy = replace(one, context=replace(one.context, weights=one.context.weights + (1 << 49)))
    with pytest.raises(CorruptFileError, match="exactly"):
        heavy.check(3, 255, 2)

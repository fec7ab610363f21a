import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding.models.integer_network import EXACT, MAX_SHIFT, Cursor
from taskcodec.coding.models.spatial import convolution as module
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.errors import CorruptFileError
from tests.coding.models.spatial.random_tables import convolution, stack

LIMIT = int(EXACT)


def in_python(layer, x):
    """(h, w, i) lists -> the same in Python's integers, which have no size: all four of a place that grows."""
    h, w, k, s, g = len(x), len(x[0]), layer.weights.shape[1], layer.stride, layer.grow
    found = [[None] * (-(-w // s) * g) for _ in range(-(-h // s) * g)]
    for y in range(0, h, s):
        for z in range(0, w, s):
            near = [
                x[y + a - k // 2][z + b - k // 2]
                if 0 <= y + a - k // 2 < h and 0 <= z + b - k // 2 < w
                else [0] * layer.inputs
                for a in range(k)
                for b in range(k)
            ]
            flat = [v for values in near for v in values]
            rows = layer.weights.reshape(len(layer.bias), -1).tolist()
            sums = [sum(w * v for w, v in zip(row, flat, strict=True)) for row in rows]
            out = [(total + int(bias)) >> layer.shift for total, bias in zip(sums, layer.bias, strict=True)]
            for part in range(g * g):
                place = out[part * layer.outputs : (part + 1) * layer.outputs]
                found[y // s * g + part // g][z // s * g + part % g] = place
    return found


@pytest.mark.parametrize(("k", "stride", "grow"), [(1, 1, 1), (3, 1, 1), (5, 2, 1), (3, 1, 2), (7, 2, 2), (1, 2, 1)])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
def test_equals_integer_arithmetic(k, stride, grow, size):
    rng = np.random.default_rng(k)
    layer = convolution(rng, 3, 4, k, 5, stride, grow, weight=10**6)
    x = rng.integers(-(10**6), 10**6, (2, *size, 3)).astype(np.float64)
    assert layer(x).tolist() == [in_python(layer, each) for each in x.astype(int).tolist()]


def test_what_grows_is_cut_to_the_size_asked_for():
    layer, x = convolution(np.random.default_rng(0), 2, 3, grow=2), np.ones((1, 3, 2, 2))
    assert np.array_equal(layer(x, (5, 3)), layer(x)[:, :5, :3])


def test_sums_near_the_bound_are_exact_in_any_batch_and_slice(monkeypatch):
    rng = np.random.default_rng(1)
    layer = convolution(rng, 40, 8, 5, 20, weight=2**20)
    x = rng.integers(-(2**20), 2**20, (9, 6, 5, 40)).astype(np.float64)
    assert LIMIT / 64 < layer.magnitudes(2**20).max() < LIMIT
    whole = layer(x)
    assert whole[8].tolist() == in_python(layer, x[8].astype(int).tolist())
    monkeypatch.setattr(module, "SLICE_VALUES", 1)
    assert np.array_equal(layer(x), whole)
    for each, alone in zip(x, whole, strict=True):
        assert np.array_equal(layer(each[None])[0], alone)


def test_a_stack_clips_what_enters_and_what_is_between():
    two = stack(np.random.default_rng(0), (2, 3, 3, 0), (3, 2, 1, 0))
    x = np.full((1, 2, 2, 2), 2**31 - 1, np.int32)
    inner = np.clip(two.layers[0](np.full(x.shape, float(two.reach))), 0, two.cap)
    assert inner.max() == two.cap
    assert np.array_equal(two(x), two.layers[1](inner))
    assert np.array_equal(two.features(x), np.clip(two(x), 0, two.cap))


@pytest.mark.parametrize(
    ("weights", "bias", "reach"), [([LIMIT // 2**12], 0, 2**12), ([1], 2 * LIMIT, 1), ([LIMIT // 2, LIMIT // 2], 0, 1)]
)
def test_sums_that_may_round_are_refused(weights, bias, reach):
    layer = Convolution(np.array(weights).reshape(1, 1, 1, -1), np.array([bias]), 0)
    with pytest.raises(CorruptFileError, match="exactly"):
        Stack(reach, 1, (layer,))


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.ones((4, 3, 3, 2))},
        {"weights": np.ones((5, 3, 3, 2), np.int64)},
        {"weights": np.ones((4, 3, 5, 2), np.int64)},
        {"weights": np.ones((4, 2, 2, 2), np.int64)},
        {"weights": np.ones((4, 9, 9, 2), np.int64)},
        {"weights": np.ones((4, 18), np.int64)},
        {"shift": MAX_SHIFT + 1},
        {"shift": -1},
        {"stride": 3},
        {"stride": 0},
        {"grow": 3},
        {"weights": np.ones((3, 3, 3, 2), np.int64), "bias": np.zeros(3, np.int64), "grow": 2},
    ],
)
def test_what_is_no_convolution_is_refused(change):
    right = {"weights": np.ones((4, 3, 3, 2), np.int64), "bias": np.zeros(4, np.int64), "shift": 0}
    with pytest.raises(CorruptFileError, match="convolution"):
        Convolution(**{**right, **change})


def test_layers_that_do_not_fit_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(CorruptFileError, match="one of 3 inputs gets 2"):
        stack(rng, (2, 2), (3, 2))
    for reach, cap, layers in ((-1, 1, 1), (1, 2**21, 1), (2**21, 1, 1), (1, 1, 0), (1, 1, 17)):
        with pytest.raises(CorruptFileError, match="convolutions"):
            Stack(reach, cap, (convolution(rng, 2, 2),) * layers)


def test_numbers_are_read_as_written():
    two = stack(np.random.default_rng(0), (2, 3, 3, 4, 2), (3, 2, 1, 7, 1, 2))
    numbers = Cursor(two.numbers().astype(np.uint64))
    again = Stack.read(numbers)
    numbers.finish()
    assert again.numbers().tolist() == two.numbers().tolist()
    x = np.random.default_rng(1).integers(-9, 9, (1, 5, 5, 2)).astype(np.int32)
    assert np.array_equal(again(x), two(x))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**62 + 1)), max_size=60))
def test_strange_numbers_are_refused_or_stacks(numbers):
    with contextlib.suppress(CorruptFileError):
        assert Stack.read(Cursor(np.array(numbers, dtype=np.uint64))).outputs >= 1

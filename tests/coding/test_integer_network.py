import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import IntegerNetwork, Layer
from taskcodec.coding.integer_network import EXACT, MAX_SHIFT
from taskcodec.errors import CorruptFileError

LIMIT = int(EXACT)


def random_network(inputs, hidden, outputs, seed=0, weight=4000, shift=10, clip=255):
    rng = np.random.default_rng(seed)

    def layer(into, out, shift):
        return Layer(rng.integers(-weight, weight, (out, into)), rng.integers(-weight, weight, out) << 8, shift)

    layers, width = [], inputs
    for size in hidden:
        layers.append(layer(width, size, shift))
        width = size
    return IntegerNetwork(inputs, clip, 2**16 - 1, tuple(layers), layer(width + inputs * bool(hidden), outputs, 14))


def in_python(network, row):
    """The same in Python's integers, which have no size."""
    x = [max(-network.clip, min(network.clip, int(v))) for v in row]
    h = x

    def run(layer, values):
        pairs = zip(layer.weights.tolist(), layer.bias.tolist(), strict=True)
        return [(sum(w * v for w, v in zip(ws, values, strict=True)) + b) >> layer.shift for ws, b in pairs]

    for layer in network.hidden:
        h = [max(0, min(network.cap, v)) for v in run(layer, h)]
    return run(network.output, h + x if network.hidden else x)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.int32, st.tuples(st.integers(1, 4), st.just(7))),
    st.sampled_from([(), (5,), (6, 4)]),
    st.integers(0, 99),
)
def test_equals_integer_arithmetic(x, hidden, seed):
    network = random_network(7, hidden, 3, seed)
    assert network(x).tolist() == [in_python(network, row) for row in x]


def test_sums_near_the_bound_are_exact_in_any_batch():
    network = random_network(400, (300,), 20, weight=2**21, clip=2**11, shift=20)
    x = np.random.default_rng(1).integers(-3000, 3000, (5000, 400)).astype(np.int32)
    whole = network(x)
    assert whole[4999].tolist() == in_python(network, x[4999])
    for rows in (1, 7, 512):
        assert np.array_equal(
            np.concatenate([network(x[i : i + rows]) for i in range(0, 1024, rows)])[:1024], whole[:1024]
        )


@pytest.mark.parametrize(
    ("weights", "bias", "clip"),
    [([[LIMIT // 2**12]], [0], 2**12), ([[1]], [2 * LIMIT], 1), ([[LIMIT // 2, LIMIT // 2]], [0], 1)],
)
def test_sums_that_may_round_are_refused(weights, bias, clip):
    layer = Layer(np.array(weights), np.array(bias), 0)
    with pytest.raises(CorruptFileError, match="exactly"):
        IntegerNetwork(len(weights[0]), clip, 1, (), layer)


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(CorruptFileError, match="inputs"):
        IntegerNetwork(3, 1, 1, (), Layer(np.ones((2, 4), np.int64), np.zeros(2, np.int64), 0))
    with pytest.raises(CorruptFileError, match="fit"):
        Layer(np.ones((2, 4), np.int64), np.zeros(3, np.int64), 0)
    with pytest.raises(CorruptFileError, match="shift"):
        Layer(np.ones((2, 4), np.int64), np.zeros(2, np.int64), MAX_SHIFT + 1)

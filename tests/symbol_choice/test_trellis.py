from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import taskcodec
from taskcodec.coding import DependentTables, freeze_pmf
from taskcodec.coding.trellis import Trellis
from taskcodec.errors import UsageError
from taskcodec.quantization.dependent import DependentQuantizer, points
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.symbol_choice.trellis import search, trellis
from taskcodec.symbol_choice.usual import usual

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 6)).astype("f4")


def model(columns, states, spread=1.5, reach=4):
    pmf = np.exp(-np.abs(np.arange(-reach, reach + 1)) / spread)
    tables = freeze_pmf(np.full(columns, -reach), [pmf] * columns, 1e-3)
    return DependentTables(tables, np.full(columns, 9000, np.uint16), Trellis(states))


def cost(z, symbols, of, slope):
    error = points(symbols, of.trellis.along(symbols)) - z
    return (error.astype(np.float64) ** 2).sum(axis=1) + slope * of.code_length(symbols)


@pytest.mark.parametrize("states", [4, 8, 32])
@pytest.mark.parametrize("slope", [0.0, 0.33, 1.0])
def test_no_other_symbols_cost_less(states, slope):
    """Against all that four columns can have."""
    of, z = model(4, states), (1.5 * RNG.normal(size=(12, 4))).astype("f4")
    everything = np.array(list(product(range(-3, 4), repeat=4)), np.int32)
    best = [cost(row, everything, of, slope).min() for row in z]
    np.testing.assert_allclose(cost(z, search(z, of, slope), of, slope), best, atol=0.01)


def test_more_states_cost_less():
    z = (3 * RNG.normal(size=(400, 40))).astype("f4")
    costs = [cost(z, search(z, of, 0.33), of, 0.33).mean() for of in (model(40, s, 2.5, 9) for s in (4, 8, 32, 256))]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.997 * costs[0]


@pytest.mark.parametrize("states", [8, 256])
def test_a_sample_is_coded_alike_in_any_company(states):
    of, z = model(300, states), (2 * RNG.normal(size=(700, 300))).astype("f4")
    whole = search(z, of, 0.33)
    for rows in (slice(0, 1), slice(5, 40), slice(699, 700)):
        assert np.array_equal(search(z[rows], of, 0.33), whole[rows])


def test_what_no_table_has_is_escaped_where_that_is_worth_it():
    of = model(3, 4)
    found = search(np.array([[100.0, -1e5, 9.5]], "f4"), of, 0.33)
    values = points(found, of.trellis.along(found))[0]
    assert abs(values[0] - 100) <= 2
    assert abs(values[1] + 1e5) <= 2
    assert np.abs(search(np.array([[np.finfo(np.float32).max] * 3], "f4"), of, 0.33)).max() <= 2**20


def test_the_layer_says_how_its_symbols_are_chosen():
    codec = taskcodec.fit(X, bits=12)
    assert np.array_equal(usual(codec.base, X), nearest(codec.base, X))
    of = model(6, 8)
    quantizer = DependentQuantizer(0.4, 0.33, Trellis(8), 6)
    layer = replace(codec.base, quantizer=quantizer, model=of)
    assert np.array_equal(usual(layer, X), search(X / np.float32(0.4), of, 0.33))
    error = {choose: np.abs(quantizer.dequantize(choose(layer, X)) - X).mean() for choose in (trellis, nearest)}
    bits = {choose: of.code_length(choose(layer, X)).mean() for choose in (trellis, nearest)}
    assert error[nearest] < error[trellis]
    assert bits[nearest] > bits[trellis]
    with pytest.raises(UsageError, match="layer base: symbols are chosen along a trellis where"):
        trellis(codec.base, X)

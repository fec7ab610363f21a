import constriction
import numpy as np
import pytest

from taskcodec.coding import read_model
from tests.coding.models.spatial.random_tables import latents, spatial_tables

MODELS = {
    "two groups on a checkerboard": (spatial_tables(), 0),
    "three groups in one pass each": (spatial_tables((1, 3, 2), checkerboard=False, seed=1), 0),
    "scales only": (spatial_tables((4,), means=False, seed=2), 0),
    "on a layer below": (spatial_tables((2, 3), given=3, seed=3), 3),
}
EACH = pytest.mark.parametrize(("model", "below"), MODELS.values(), ids=MODELS)


def coded(model, symbols, given):
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, symbols, given)
    bits = coder.num_valid_bits()
    again = model.pop(coder, symbols.shape, given)
    assert coder.is_empty()
    return again, bits


def given_of(below, n, h, w):
    return (latents(n, below, h, w, seed=9),) if below else ()


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (5, 3), (4, 4), (9, 13)])
def test_what_is_pushed_is_popped_at_what_it_costs(model, below, size):
    y, given = latents(3, model.columns, *size), given_of(below, 3, *size)
    again, bits = coded(model, y, given)
    assert again.dtype == np.int32
    assert np.array_equal(again, y)
    costs, side = model.costs(y, given), model.side_bits(y)
    assert costs.shape == y.shape
    np.testing.assert_allclose(costs.sum(axis=(1, 2, 3)) + side, model.code_length(y, given))
    assert bits == pytest.approx(model.code_length(y, given).sum(), rel=0.01, abs=64)
    assert costs[0, 0, 0, 0] > 32


@EACH
def test_files_keep_a_model(model, below):
    again = read_model(model.kind, model.tensors())
    y, given = latents(2, model.columns, 3, 4), given_of(below, 2, 3, 4)
    assert again.to_bytes() == model.to_bytes()
    assert again._encoded == model._encoded
    assert np.array_equal(again.costs(y, given), model.costs(y, given))
    assert again.given_columns == below

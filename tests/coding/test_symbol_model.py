"""What every kind of symbol model does alike: symbols with and without space, costs, files, layers below."""

import numpy as np
import pytest

from taskcodec.coding import SharedTables, encode_block, freeze_pmf, read_model, tables_from_symbols
from taskcodec.coding.models.kinds import KINDS, kind_of
from taskcodec.coding.symbol_model import as_rows, checked_symbols, from_rows
from taskcodec.errors import CorruptFileError, MismatchError
from tests.coding.round_trips import coded
from tests.conditional import conditional_tables
from tests.layered import conditional_on

RNG = np.random.default_rng(0)
LATENT = np.round(RNG.laplace(size=(30, 6)) * 3).astype(np.int32)
LATENT[3, 2], LATENT[20, 5] = -2_000_000_000, 2**31 - 1
SHARED = SharedTables(freeze_pmf([-4, -9], [np.ones(9), np.ones(19)], 0.01), np.array([0, 1, 1, 0, 1, 0], np.int32))
BELOW = np.round(RNG.laplace(size=(30, 4)) * 3).astype(np.int32)
MODELS = {
    "tables": (tables_from_symbols(LATENT % 9), ()),
    "shared": (SHARED, ()),
    "conditional": (conditional_tables(6, side=2), ()),
    "conditional on a layer": (conditional_on(6, 4), (BELOW,)),
    "conditional on two layers": (conditional_on(6, 4), (BELOW[:, :1], BELOW[:, 1:])),
}
EACH = pytest.mark.parametrize(("model", "given"), MODELS.values(), ids=MODELS)


@EACH
def test_what_is_pushed_is_popped_at_what_it_costs(model, given):
    symbols = model.with_side(LATENT)
    assert np.array_equal(model.without_side(symbols), LATENT)
    again, bits = coded(model, symbols, given)
    assert np.array_equal(again, symbols)
    costs = model.costs(symbols, given)
    assert costs.shape == symbols.shape
    np.testing.assert_allclose(costs.sum(axis=1), model.code_length(symbols, given))
    assert bits == pytest.approx(costs.sum(), rel=0.01, abs=64)
    assert model.slot_counts(symbols, given).sum() == symbols.size
    assert costs[3].max() > 32


@EACH
@pytest.mark.parametrize("space", [(2,), (3, 2), (1, 1, 5)])
def test_each_place_is_coded_by_the_tables_of_its_channels(model, given, space):
    places = int(np.prod(space))
    latent, below = (
        from_rows(rows[: 30 // places * places], (30 // places, rows.shape[1], *space)) for rows in (LATENT, BELOW)
    )
    given = () if not given else (below,)
    symbols = model.with_side(latent)
    again, _ = coded(model, symbols, given)
    assert again.shape == symbols.shape
    assert np.array_equal(again, symbols)
    costs = model.costs(symbols, given)
    flat = model.costs(as_rows(symbols), tuple(map(as_rows, given)))
    np.testing.assert_allclose(as_rows(costs), flat)
    with pytest.raises(ValueError, match="symbols of shape"):
        encode_block(symbols, model)


@EACH
def test_files_keep_a_model(model, given):
    again = read_model(model.kind, model.tensors())
    assert kind_of(model.tensors()) == model.kind
    assert {key: tensor.tobytes() for key, tensor in again.tensors().items()} == {
        key: tensor.tobytes() for key, tensor in model.tensors().items()
    }
    symbols = model.with_side(LATENT)
    assert np.array_equal(again.costs(symbols, given), model.costs(symbols, given))
    assert again.given_columns == sum(below.shape[1] for below in given)


def test_symbols_below_that_are_missing_are_told():
    model, given = MODELS["conditional on a layer"]
    for wrong in ((), (BELOW[:, :3],), (*given, BELOW)):
        with pytest.raises(MismatchError, match="follow from 4 symbols of layers below"):
            model.costs(LATENT, wrong)


@pytest.mark.parametrize("kind", ["octree", None, 3, [], {"a": 1}])
def test_kinds_that_are_none_are_refused(kind):
    with pytest.raises(CorruptFileError, match=f"is none of {', '.join(KINDS)}"):
        read_model(kind, SHARED.tensors())


def test_what_int32_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="32-bit"):
        checked_symbols(np.full((2, 3), 2**31), 3)

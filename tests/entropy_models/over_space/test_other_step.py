"""Tables in other steps: what a finer or coarser latent takes, by integers alone."""

from functools import reduce

import numpy as np
import pytest
import torch

from taskcodec.coding import read_model
from taskcodec.entropy_models.over_space.other_step import MAX_FACTOR, in_steps
from taskcodec.errors import UsageError
from tests.coding.models.spatial.random_tables import latents, spatial_tables
from tests.coding.round_trips import coded
from tests.entropy_models.test_spatial import below, source, trained

PLACES = 6 * 6 * 7


MODELS = {"means": spatial_tables(), "scales": spatial_tables((4,), means=False, seed=2)}


@pytest.fixture(scope="module")
def tables():
    return trained(steps=60, sizes=((6, 7),)).freeze()


def rounded(factor, channels=6):
    return torch.round(source(20, 6, 7, seed=999)[:, :channels] / factor).numpy().astype(np.int32)


def test_in_finer_steps_each_place_takes_the_bits_of_the_finer_step_more(tables):
    own = tables.code_length(rounded(1)).mean()
    for factor in (0.25, 0.5, 0.7):
        found = in_steps(tables, factor).code_length(rounded(factor)).mean()
        assert found == pytest.approx(own - PLACES * np.log2(factor), rel=0.04)
        assert found < 0.99 * tables.code_length(rounded(factor)).mean()


def test_in_coarser_steps_bits_fall_as_they_can(tables):
    lengths = [in_steps(tables, factor).code_length(rounded(factor)).mean() for factor in (1, 1.5, 2, 3, 4)]
    assert (np.diff(lengths) < 0).all()
    assert lengths[2] < 0.95 * tables.code_length(rounded(2)).mean()
    assert lengths[4] < 0.7 * tables.code_length(rounded(4)).mean()


def test_a_layer_below_in_another_step_tells_as_much():
    model = trained(given=(2, 1), steps=40, sizes=((6, 7),))
    tables, under = model.freeze(), below(20, 6, 7, (2, 1), seed=999)
    y, finer = rounded(1), [np.rint(part.numpy() * 8).astype(np.int32) for part in under]
    own = tables.code_length(y, [part.numpy().astype(np.int32) for part in under]).mean()
    assert in_steps(tables, 1, [1 / 8] * 3).code_length(y, finer).mean() == pytest.approx(own, rel=0.01)
    assert tables.code_length(y, finer).mean() > 1.1 * own


@pytest.mark.parametrize("any_model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("factor", [1 / MAX_FACTOR, 0.9, MAX_FACTOR])
def test_any_latent_codes_and_files_keep_them(any_model, factor):
    stepped, y = in_steps(any_model, factor), latents(2, any_model.columns, 5, 4)
    assert np.array_equal(coded(stepped, y, ())[0], y)
    again = read_model(stepped.kind, stepped.tensors())
    assert np.array_equal(again.costs(y), stepped.costs(y))


def test_the_step_it_was_trained_for_changes_nothing(tables):
    assert in_steps(tables, 1).to_bytes() == tables.to_bytes()


def test_what_it_is_not_for(tables):
    for factor in (0.0, 65.0, float("nan")):
        with pytest.raises(UsageError, match="times the trained one"):
            in_steps(tables, factor)
    with pytest.raises(UsageError, match="take the codec as it was trained"):
        reduce(in_steps, [1.01] * 20, tables)

from functools import partial

import numpy as np
import pytest

from taskcodec.coding import decode_block, encode_block, tables_from_symbols
from taskcodec.entropy_models.of_bytes.variational import VariationalSizes
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.lossless import context, vae
from taskcodec.fitting.lossless.context import ContextRecipe, fit_context
from taskcodec.fitting.lossless.fit import MANY, MODELS, fit_lossless, usual_model
from taskcodec.fitting.lossless.vae import VariationalRecipe, fit_variational
from taskcodec.transforms.values.pixels import PixelValues
from tests.lossless import strokes

TRANSFORM = PixelValues((7, 6))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    small = partial(ContextRecipe, steps=20, batch=64, reach=2, hidden=(8,), components=8)
    monkeypatch.setattr(context, "ContextRecipe", small)
    sizes = VariationalSizes(levels=((1, 2), (1, 2)), width=4, components=4)
    monkeypatch.setattr(vae, "VariationalRecipe", partial(VariationalRecipe, steps=20, batch=200, sizes=sizes))


@pytest.mark.parametrize("model", MODELS)
def test_any_values_come_back(model):
    codec = fit_lossless(strokes(100), TRANSFORM, model)
    foreign = np.random.default_rng(3).integers(0, 256, (4, 7, 6), dtype=np.uint8)
    assert np.array_equal(codec.decompress(codec.compress(foreign)), foreign)
    assert codec.provenance["model"] == model
    assert codec.provenance["samples"] == 100


def test_numbers_say_which_model_suits():
    assert usual_model(np.empty((MANY // 42, 42)), TRANSFORM) == "columns"
    assert usual_model(np.empty((MANY // 42 + 1, 42)), TRANSFORM) == "context"


def test_a_context_says_more_than_columns_alone():
    """Rows whose numbers repeat those above them."""
    rng = np.random.default_rng(0)
    pictures = np.repeat(rng.integers(0, 256, (400, 1, 6, 1), dtype=np.uint8), 7, axis=1)
    symbols = PixelValues((7, 6, 2)).to_symbols(np.concatenate([pictures, pictures], axis=3))
    recipe = ContextRecipe(steps=200, batch=256, reach=1, hidden=(24,), components=16, rate=1e-2)
    told = []
    model = fit_context(symbols, (7, 6, 2), recipe, lambda *done: told.append(done))
    assert told[-1] == (200, 200)
    assert model.code_length(symbols).mean() < 0.85 * 8 * symbols.shape[1]


@pytest.mark.slow
@pytest.mark.parametrize("levels", [((2, 1),), ((1, 1), (1, 1))], ids=["one level", "two"])
def test_latents_say_more_than_columns_alone(levels):
    """Pictures of which each is nearly white, or nearly black."""
    rng = np.random.default_rng(0)
    lit = rng.random((2000, 8, 8)) < rng.choice([0.1, 0.9], (2000, 1, 1))
    symbols = PixelValues((8, 8)).to_symbols(np.where(lit, 255, 0).astype(np.uint8))
    sizes = VariationalSizes(levels=levels, width=8, components=4)
    recipe = VariationalRecipe(steps=300, batch=16 * 64, rate=3e-2, warm=0.6, sizes=sizes)
    told = []
    model = fit_variational(symbols, (8, 8, 1), recipe, lambda *done: told.append(done))
    assert told[-1] == (300, 300)
    bound = model.code_length(symbols).sum()
    assert bound < 0.7 * tables_from_symbols(symbols).code_length(symbols).sum()
    block = encode_block(symbols, model)
    assert np.array_equal(decode_block(block, len(symbols), model), symbols)
    assert 8 * len(block) == pytest.approx(bound, rel=0.02)


def test_what_is_no_fit_is_refused():
    with pytest.raises(UsageError, match="--model must be one of"):
        fit_lossless(strokes(9), TRANSFORM, "none")
    with pytest.raises(MismatchError, match="one sample or more"):
        fit_lossless(strokes(0), TRANSFORM)

"""The twin in floats: at integers it takes the bits of the tables, but for what indices and means are rounded by."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from taskcodec.coding.models.overfitted.plan import HEAD
from taskcodec.entropy_models.overfitted import context_bits, magnitudes
from taskcodec.fitting.gradient.overfitted.start import codec_of, drawn
from taskcodec.symbol_choice.pictures.overfitted.changes import named
from tests.overfitted import PLAN, overfitted


@pytest.mark.parametrize("size", [(37, 50), (16, 16), (1, 7), (1, 1)])
def test_bits_are_those_of_the_tables(size):
    weights, rng = drawn(PLAN, 0), np.random.default_rng(0)
    weights["answer"][:, 1] = 0  # means of quarters are rounded, which random ones gain by
    model = codec_of(PLAN, weights, {}).base.model.for_size(size)
    own = HEAD + PLAN.weights
    symbols = np.zeros(PLAN.symbols(size), np.int32)
    symbols[own:] = np.round(rng.laplace(0, 0.35, len(symbols) - own))
    latents = [torch.from_numpy(each.astype("f4"))[None, None] for each in model.told(symbols).latents]
    found = float(context_bits(latents, named(model, model.start)))
    wanted = model.costs(symbols.reshape(1, 1, -1, 1)).ravel()[own:].sum()
    assert found == pytest.approx(wanted, rel=0.01, abs=0.5)


def test_pictures_side_by_side_take_what_each_takes():
    torch.manual_seed(0)
    weights = named(overfitted().base.model, overfitted().base.model.start)
    latents = [torch.round(3 * torch.randn(3, 1, *extents)) for extents in PLAN.extents((9, 12))]
    alone = torch.cat([context_bits([each[row : row + 1] for each in latents], weights) for row in range(3)])
    torch.testing.assert_close(context_bits(latents, weights), alone)


def test_magnitudes_have_gradients_and_the_values_of_the_integers():
    y = torch.tensor([0.0, 1.0, -2.0, 3.0, 4.0], requires_grad=True)
    found = magnitudes(y)
    torch.testing.assert_close(found, torch.tensor([0, 1.5, 2.25, 2.75, 3.125]))
    found.sum().backward()
    assert (y.grad * y.detach().sign() >= 0).all()

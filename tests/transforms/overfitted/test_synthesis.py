import pytest

pytest.importorskip("torch")

import torch

from taskcodec.coding.models.overfitted.plan import Plan
from taskcodec.transforms.overfitted.synthesis import UNIT, synthesised


def weights(plan):
    return {part.name: torch.zeros(part.shape) for part in plan.parts}


def test_a_latent_that_is_passed_on_is_the_picture():
    plan = Plan(levels=2, width=1, context=1)
    own = weights(plan)
    own["mix"][0, 0], own["out"][0, 0], own["out_bias"][1] = UNIT, 1.0, 0.5
    latents = [torch.rand(1, 1, 3, 5), torch.rand(1, 1, 2, 3)]
    found = synthesised(latents, own, (3, 5))
    assert found.shape == (1, 3, 3, 5)
    torch.testing.assert_close(found[:, :1], latents[0])
    assert (found[:, 1] == 0.5).all()
    assert (found[:, 2] == 0).all()


def test_the_last_convolution_is_added():
    plan = Plan(levels=1, width=1, context=1)
    own = weights(plan)
    own["out_bias"][:] = 1.0
    own["last"][0, 1, 1, 0] = 2.0  # twice what lies to the left in the second channel
    found = synthesised([torch.zeros(1, 1, 2, 3)], own, (2, 3))
    assert found[0, 0].tolist() == [[1.0, 3.0, 3.0]] * 2
    assert (found[0, 1:] == 1).all()


@pytest.mark.parametrize("finest", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 9), (16, 7), (33, 20)])
def test_any_size_comes_out_as_it_is(finest, size):
    plan = Plan(levels=5, width=2, context=1, finest=finest)
    latents = [torch.zeros(2, 1, *extents) for extents in plan.extents(size)]
    assert synthesised(latents, weights(plan), size).shape == (2, 3, *size)

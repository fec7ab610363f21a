import pytest

pytest.importorskip("torch")

import torch

from taskcodec.symbol_choice.pictures.overfitted.descent import Descent, descend, softly_rounded


def test_soft_rounding_goes_to_rounding():
    y = torch.tensor([-1.3, 0.0, 0.2, 0.5, 0.9])
    torch.testing.assert_close(softly_rounded(y, 10.0), y, atol=1e-3, rtol=0)
    torch.testing.assert_close(softly_rounded(y, 0.02), torch.tensor([-1.0, 0.0, 0.0, 0.5, 1.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("hard", [False, True])
def test_latents_and_weights_go_where_the_objective_is_low(hard):
    wanted, told = torch.tensor([3.0, -2.0, 0.0]), []
    found, moved = descend(
        [torch.zeros(3)],
        {"w": torch.zeros(1)},
        lambda y, w: (y[0] - wanted).square().sum() + (w["w"] - 0.5).square().sum(),
        Descent(100, 0.2, 0.05, hard),
        0,
        told.append,
    )
    assert torch.round(found[0]).tolist() == wanted.tolist()
    assert moved["w"].item() == pytest.approx(0.5, abs=0.05)
    assert told == list(range(1, 101))


def test_weights_may_stay():
    _, moved = descend(
        [torch.zeros(1)], {"w": torch.ones(1)}, lambda y, w: (y[0] * w["w"]).sum(), Descent(3, 0.1, 0.0), 0
    )
    assert moved["w"].item() == 1.0

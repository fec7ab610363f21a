import pytest

pytest.importorskip("torch")

import torch

from taskcodec.symbol_choice.pictures.overfitted.descent import Descent, descend, softly_rounded


def test_soft_rounding_goes_to_rounding():
    y = torch.tensor([-1.3, 0.0, 0.2, 0.5, 0.9])
    torch.testing.assert_close(softly_rounded(y, 10.0), y, atol=1e-3, rtol=0)
    torch.testing.assert_close(softly_rounded(y, 0.02), torch.tensor([-1.0, 0.0, 0.0, 0.5, 1.0]), atol=1e-6, rtol=0)


def test_latents_and_weights_go_where_the_objective_is_low():
    wanted, told = torch.tensor([3.0, -2.0, 0.0]), []
    found, moved = descend(
        [torch.zeros(3)],
        {"w": torch.zeros(1)},
        lambda y, w: (y[0] - wanted).square().sum() + (w["w"] - 0.5).square().sum(),
        Descent(100, 0.2, 0.05),
        0,
        told.append,
    )
    assert torch.round(found[0]).tolist() == wanted.tolist()
    assert moved["w"].item() == pytest.approx(0.5, abs=0.05)
    assert told == list(range(1, 101))


def test_coarser_latents_go_farther_in_a_step():
    found, _ = descend([torch.zeros(1), torch.zeros(1)], {}, lambda y, _: -(y[0] + y[1]).sum(), Descent(1, rate=0.1), 0)
    assert found[0].item() == pytest.approx(0.1, rel=1e-3)
    assert found[1].item() == pytest.approx(0.1 * 2**0.5, rel=1e-3)


def test_steps_do_not_hang_on_the_size_of_gradients():
    ends = [
        descend([torch.zeros(4)], {}, lambda y, _: unit * (y[0] - 2).square().sum(), Descent(30), 0)[0][0]  # noqa: B023
        for unit in (1.0, 1e-9)
    ]
    torch.testing.assert_close(ends[0], ends[1], rtol=0.01, atol=0.01)

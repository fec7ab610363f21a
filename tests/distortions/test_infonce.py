import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.bince import BINCE  # noqa: E402
from taskcodec.distortions.infonce import FLOOR_TEMPERATURE, START_TEMPERATURE, InfoNCE, lost_bits  # noqa: E402


def test_the_temperature_starts_as_published_and_never_sticks_at_its_floor():
    model = BINCE(3)
    assert model.temperature.item() == pytest.approx(START_TEMPERATURE)
    with torch.no_grad():
        model.excess.fill_(-4.0)
    assert FLOOR_TEMPERATURE < model.temperature.item() < 2.9 * FLOOR_TEMPERATURE
    model(torch.randn(8, 3), torch.randn(8, 3), torch.arange(8)).mean().backward()
    assert model.excess.grad.abs() > 0


def test_a_queue_holds_the_latest_of_training():
    model = InfoNCE(width=2, queue=3)
    for step in range(4):
        rows = torch.full((2, 2), float(step))
        model.remember(rows, torch.tensor([2 * step, 2 * step + 1]))
    candidates, owners = model.with_earlier(torch.zeros(1, 2), torch.tensor([9]))
    assert sorted(owners.tolist()) == [5, 6, 7, 9]
    assert candidates.shape == (4, 2)
    model.eval()
    model.remember(torch.ones(2, 2), torch.tensor([1, 2]))
    assert sorted(model.past_ids.tolist()) == [5, 6, 7]


def test_equal_scores_lose_log2_of_the_candidates_that_are_of_other_samples_and_ones_own():
    owners = torch.tensor([0, 1, 0, 2, 3])
    lost = lost_bits(torch.zeros(2, 5), torch.tensor([0, 1]), torch.tensor([0, 1]), owners)
    assert lost.tolist() == pytest.approx([math.log2(4), math.log2(5)])

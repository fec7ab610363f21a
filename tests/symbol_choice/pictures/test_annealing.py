import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.symbol_choice.pictures.annealing import Schedule, anneal  # noqa: E402

START = [torch.tensor([0.4, 2.6, -1.2]), torch.tensor([[0.1]])]
BEST = [torch.tensor([0.9, 2.2, -3.1]), torch.tensor([[1.8]])]


def squares(points):
    return sum((point - best).square().sum() for point, best in zip(points, BEST, strict=True))


@pytest.mark.parametrize("schedule", [Schedule(60, 0.1), Schedule(60, 0.1, ends=2.0), Schedule(60, 0.1, chance=False)])
def test_what_is_lowest_is_found_among_integers(schedule):
    found = anneal(START, squares, schedule, seed=0)
    assert [each.tolist() for each in found] == [[1, 2, -3], [[2]]]
    assert START[0].tolist() == pytest.approx([0.4, 2.6, -1.2])  # as it was


def rounded_on_the_way(schedule, seed, start=START[0]):
    """What an objective was shown of a tensor, step by step."""
    seen = []

    def objective(points):
        seen.append(points[0].detach().clone())
        return points[0].square().sum()

    anneal([start], objective, schedule, seed)
    return torch.stack(seen)


def test_a_seed_says_all():
    once, again, other = (rounded_on_the_way(Schedule(4, 0.1), seed) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_it_grows_cold():
    schedule = Schedule(100, 0.1, top=0.5, hold=0.3, fall=2.0)
    temperatures = [schedule.temperature(step) for step in range(100)]
    assert temperatures[:30] == [0.5] * 30
    assert temperatures == sorted(temperatures, reverse=True)
    assert temperatures[-1] == pytest.approx(0.5 * math.exp(-2 * 0.69))
    seen = rounded_on_the_way(Schedule(40, 1e-6, top=1.0, hold=0.0, fall=5.0), 0, torch.full((500,), 0.5))
    ends = (seen - 0.5).abs().mean(dim=1)
    assert ends[0] < 0.4
    assert ends[-1] > 0.48

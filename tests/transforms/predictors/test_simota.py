import math

import torch

from taskcodec.transforms.predictors.simota import Positions, iou, match, simota_loss

GRID = torch.tensor([[x + 0.5, y + 0.5] for y in range(8) for x in range(8)]) * 8


def positions(corners=None, objects=0.5, classes=0.5):
    """8 x 8 positions at stride 8, each with a box of its own 16 pixels wide; three classes."""
    boxes = torch.cat([GRID - 8, GRID + 8], dim=1) if corners is None else corners
    return Positions(GRID, torch.full((64,), 8.0), boxes, torch.full((64,), objects), torch.full((64, 3), classes))


def test_iou():
    a = torch.tensor([[0.0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 8], [5, 5, 15, 15], [10, 0, 20, 10]])
    torch.testing.assert_close(iou(a, b), torch.tensor([0.8, 25 / 175, 0.0]))


def test_a_box_is_matched_with_the_positions_that_overlap_it_most():
    box = torch.tensor([[16.0, 24, 32, 40]])  # around the corner of four positions, so that no position is its middle
    matched, which = match(positions(), box, torch.tensor([1]))
    assert set(which.tolist()) == {0}
    overlaps = iou(positions().corners, box)
    # As many as the ten best overlaps add up to.
    assert len(matched) == int(overlaps.topk(10).values.sum())
    assert overlaps[matched].min() >= overlaps.topk(4).values.min()


def test_each_position_answers_for_one_box():
    boxes = torch.tensor([[8.0, 8, 40, 40], [24, 8, 56, 40]])
    matched, which = match(positions(), boxes, torch.tensor([0, 2]))
    assert len(set(matched.tolist())) == len(matched)
    assert set(which.tolist()) == {0, 1}


def test_nothing_to_find_costs_what_is_thought_to_be_there():
    torch.testing.assert_close(
        simota_loss(positions(), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)), torch.tensor(64 * math.log(2))
    )


def test_a_box_away_from_all_positions_is_matched_with_none():
    matched, _ = match(positions(), torch.tensor([[500.0, 500, 520, 520]]), torch.tensor([0]))
    assert len(matched) == 0


def test_the_loss_of_known_positions():
    box, label = torch.tensor([[16.0, 24, 32, 40]]), torch.tensor([1])
    seen = positions(corners=box.expand(64, -1))
    matched, _ = match(seen, box, label)
    assert len(matched) == 10  # every position has the right box
    # Boxes are exact, so that only the two log losses are left: 64 of objects, 3 classes at 10 positions.
    torch.testing.assert_close(simota_loss(seen, box, label), torch.tensor((64 + 30) * math.log(2) / 10))


def test_the_loss_falls_along_its_gradient():
    raw = torch.zeros(64, 4, requires_grad=True)
    box, label = torch.tensor([[16.0, 20, 38, 40]]), torch.tensor([1])

    def loss():
        return simota_loss(positions(corners=positions().corners + raw), box, label)

    before = loss()
    before.backward()
    with torch.no_grad():
        raw -= 5 * raw.grad
    assert loss() < before

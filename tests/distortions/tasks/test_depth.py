import math

import pytest
import torch
from torch import nn

from taskcodec.distortions.tasks import Depth, Metres, Truth

PICTURES = torch.full((1, 3, 4, 4), 0.5)


class Says(nn.Module):
    def __init__(self, metres):
        super().__init__()
        self.metres = metres

    def forward(self, pictures):
        return self.metres * pictures.mean(dim=1)


def loss(predicted, depth):
    return Depth(Says(2 * predicted)).loss(PICTURES, Truth(PICTURES, depth=torch.as_tensor(depth)[None]))


def test_the_error_of_the_paper_s_equation():
    assert loss(3.0, torch.full((4, 4), 3.0)).item() == 0
    # Everything e times too far: ln is 1 off everywhere; half of that square is forgiven as an error of scale.
    assert loss(3 * math.e, torch.full((4, 4), 3.0)).item() == pytest.approx(0.5)
    both = torch.full((4, 4), math.e)
    both[:2] = 1 / math.e  # errors of opposite sign: none of it is of scale
    assert loss(1.0, both).item() == pytest.approx(1.0)


def test_pixels_of_unknown_depth_count_for_nothing():
    depth = torch.full((4, 4), 3.0)
    depth[1:] = 0
    assert loss(3 * math.e, depth).item() == pytest.approx(0.5)
    pictures = PICTURES.clone().requires_grad_()
    nothing = Depth(Says(1.0)).loss(pictures, Truth(PICTURES, depth=torch.zeros(1, 4, 4)))
    nothing.sum().backward()
    assert nothing.item() == 0
    assert pictures.grad.abs().max() == 0


def test_depth_at_the_picture_s_size():
    predicted = Depth(nn.Sequential(nn.AvgPool2d(2), Says(4.0))).predict(PICTURES)
    torch.testing.assert_close(predicted, torch.full((1, 4, 4), 2.0))


def test_an_answer_is_above_nothing_and_usual_where_it_says_0():
    said = Metres()(torch.tensor([-100.0, 0.0, 100.0]).reshape(1, 1, 1, 3))
    assert said[0, 0, 0] > 0
    assert said[0, 0, 1].item() == pytest.approx(3.0, abs=0.01)
    assert said[0, 0, 2] > 50

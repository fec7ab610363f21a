import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from taskcodec.errors import UsageError
from taskcodec.symbol_choice.pictures.overfitted.unchanged import divergence, unchanged
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.small import SmallClassifier, SmallDepth

torch.manual_seed(0)
PICTURES = torch.rand(2, 3, 32, 48)


@pytest.mark.parametrize(
    ("task", "make"),
    [
        ("depth", lambda: SmallDepth(widths=[4, 6, 8])),
        ("segmentation", lambda: nn.Conv2d(3, 4, 3, padding=1)),
        ("classification", lambda: SmallClassifier(3, widths=[4, 6, 8])),
        ("detection", lambda: load_predictor("scenes_detector")),
    ],
)
def test_what_is_as_it_was_is_off_by_nothing_and_the_rest_by_more(task, make):
    distance = unchanged(task, make(), PICTURES)
    at = distance(PICTURES)
    assert at.shape == (2,)
    other = (PICTURES + 0.3 * torch.rand_like(PICTURES)).requires_grad_()
    away = distance(other)
    assert (away > at + 1e-6).all()
    away.sum().backward()
    assert other.grad.abs().sum() > 0
    if task != "detection":  # whose boxes and classes are off by what they are unsure of
        assert at.abs().max() < 1e-5


def test_bits_of_classes_by_hand():
    scores = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        scores.weight.zero_()
        scores.weight[0, 0] = 1.0
    distance = unchanged("segmentation", scores, torch.zeros(1, 3, 2, 2))
    found = distance(torch.ones(1, 3, 2, 2)).item()
    p = torch.sigmoid(torch.tensor(1.0))
    assert found == pytest.approx((-0.5 * (p.log2() + (1 - p).log2()) - 1).item(), rel=1e-5)


def test_divergence_is_zero_where_equal():
    p = torch.tensor([0.1, 0.5, 0.0])
    assert divergence(p, p).abs().max() < 1e-6
    assert divergence(torch.tensor([0.5]), torch.tensor([0.25])).item() > 0


def test_a_predictor_of_another_task_is_refused():
    with pytest.raises(UsageError, match="none of detection"):
        unchanged("detection", nn.Conv2d(3, 4, 3), PICTURES)

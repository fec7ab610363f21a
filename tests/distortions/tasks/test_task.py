"""What all tasks share: frozen predictors pass gradients, and truth that is missing is told."""

import pytest
import torch
from torch import nn

from taskcodec.distortions.tasks import (
    Classification,
    Depth,
    Detection,
    Segmentation,
    SquaredError,
    StructuralSimilarity,
    Truth,
)
from taskcodec.errors import UsageError


class Whole(nn.Module):
    """Scores of classes from the mean colour, with dropout and statistics that training would change."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Conv2d(3, 4, 1))

    def forward(self, pictures):
        return self.body(pictures).mean((2, 3))


class Depths(nn.Module):
    def forward(self, pictures):
        return 1 + pictures.mean(dim=1)[:, ::2, ::2]


class Finder(nn.Module):
    """A detector that says which box is where the picture is bright."""

    def loss(self, pictures, corners, labels):
        return torch.stack([p.mean() * len(c) for p, c in zip(pictures, corners, strict=True)])

    def found(self, pictures):
        return [(torch.zeros(1, 4), torch.zeros(1, dtype=torch.long), torch.ones(1)) for _ in pictures]


def truth():
    generator = torch.Generator().manual_seed(0)
    return Truth(
        torch.rand(2, 3, 24, 18, generator=generator),
        labels=torch.randint(0, 4, (2, 24, 18), generator=generator),
        depth=1 + torch.rand(2, 24, 18, generator=generator),
        corners=[torch.tensor([[0.0, 0, 5, 5]]), torch.zeros(0, 4)],
        box_labels=[torch.tensor([1]), torch.zeros(0, dtype=torch.long)],
        whole=torch.tensor([0, 3]),
    )


TASKS = {
    "classification": (lambda: Classification(Whole()), "whole"),
    "segmentation": (lambda: Segmentation(nn.Conv2d(3, 4, 3, stride=2, padding=1)), "labels"),
    "depth": (lambda: Depth(Depths()), "depth"),
    "detection": (lambda: Detection(Finder()), "corners"),
    "squared error": (SquaredError, None),
    "similarity": (StructuralSimilarity, None),
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_loss_a_picture_with_a_gradient_to_it_and_none_to_the_frozen_predictor(kind):
    task = TASKS[kind][0]()
    task.train()
    pictures = truth().pictures.flip(3).requires_grad_()
    loss = task.loss(pictures, truth())
    assert loss.shape == (2,)
    loss.sum().backward()
    assert torch.isfinite(pictures.grad).all()
    assert pictures.grad[0].abs().sum() > 0
    assert not any(weight.requires_grad for weight in task.parameters())
    assert not task.predictor.training
    again = task.loss(pictures, truth())
    torch.testing.assert_close(again, loss)  # no dropout, no statistics moved
    assert len(task.predict(pictures)) == 2


def test_a_predictor_that_is_not_frozen_is_trained():
    task = Classification(Whole(), frozen=False)
    task.train()
    assert task.predictor.training
    task.loss(truth().pictures, truth()).sum().backward()
    assert all(weight.grad is not None for weight in task.parameters())


@pytest.mark.parametrize("kind", [kind for kind, (_, needed) in TASKS.items() if needed])
def test_missing_truth_is_told(kind):
    make, needed = TASKS[kind]
    with pytest.raises(UsageError, match=f"without {needed}"):
        make().loss(truth().pictures, Truth(truth().pictures))

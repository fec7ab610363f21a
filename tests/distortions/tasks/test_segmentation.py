import torch
from torch import nn

from taskcodec.distortions.tasks import Segmentation, Truth
from taskcodec.samples import VOID

PICTURES = torch.zeros(2, 3, 4, 6)


class Says(nn.Module):
    """The same class everywhere, with odds of 3 to 1 against one other, at half the size."""

    def forward(self, pictures):
        scores = torch.log(torch.tensor([0.75, 0.25]))
        return scores.reshape(1, 2, 1, 1).expand(len(pictures), 2, 2, 3)


def test_bits_of_the_classes_that_are_there():
    labels = torch.zeros(2, 4, 6, dtype=torch.long)
    labels[1] = 1
    labels[1, :2] = VOID
    loss = Segmentation(Says()).loss(PICTURES, Truth(PICTURES, labels=labels))
    torch.testing.assert_close(loss, -torch.log2(torch.tensor([0.75, 0.25])))


def test_a_picture_of_void_loses_nothing():
    labels = torch.full((2, 4, 6), VOID)
    assert Segmentation(Says()).loss(PICTURES, Truth(PICTURES, labels=labels)).tolist() == [0, 0]


def test_classes_at_the_picture_s_size():
    assert Segmentation(Says()).predict(PICTURES).tolist() == torch.zeros(2, 4, 6).tolist()

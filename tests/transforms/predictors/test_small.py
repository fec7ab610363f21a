"""Small predictors take pictures of any size, and learn."""

import pytest
import torch
import torch.nn.functional as F

from taskcodec.transforms.predictors.small import SmallClassifier, SmallDepth, SmallSegmenter, small_detector

TINY = (8, 8, 8, 16)


@pytest.mark.parametrize("size", [(1, 1), (7, 33), (32, 32)])
def test_any_size(size):
    half = tuple(-(-side // 2) for side in size)
    padded = [-(-side // 8) for side in size]
    for count in (1, 2):
        pictures = torch.rand(count, 3, *size)
        assert SmallSegmenter(5, TINY)(pictures).shape == (count, 5, *half)
        assert SmallDepth(3.0, TINY)(pictures).shape == (count, *half)
        assert SmallClassifier(5, TINY)(pictures).shape == (count, 5)
        assert small_detector(5, TINY)(pictures).shape == (count, padded[0] * padded[1] * 5, 10)


def test_a_picture_does_not_depend_on_its_neighbours():
    torch.manual_seed(0)
    pictures, network = torch.rand(3, 3, 16, 24), SmallSegmenter(4, TINY)
    torch.testing.assert_close(network(pictures)[1:2], network(pictures[1:2]))


def test_depth_starts_near_what_is_typical():
    torch.manual_seed(0)
    depth = SmallDepth(3.0, TINY)(torch.rand(4, 3, 32, 32))
    assert (depth > 0).all()
    assert 1 < depth.median() < 9


def bright_squares(count):
    """One bright square on black, of 8 pixels, in each picture."""
    generator = torch.Generator().manual_seed(0)
    pictures, corners = torch.zeros(count, 3, 24, 24), []
    for picture in pictures:
        x, y = torch.randint(0, 16, (2,), generator=generator).tolist()
        picture[:, y : y + 8, x : x + 8] = 1
        corners.append(torch.tensor([[x, y, x + 8, y + 8]]).float())
    return pictures, corners


def test_a_detector_learns():
    torch.manual_seed(0)
    pictures, corners = bright_squares(4)
    labels = [torch.tensor([1])] * 4
    detector = small_detector(2, TINY)
    optimizer = torch.optim.Adam(detector.parameters(), 0.01)
    losses = []
    for _ in range(50):
        loss = detector.loss(pictures, corners, labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    best = detector.found(pictures)[0]
    top = best.scores.argmax()
    assert best.labels[top] == 1
    assert F.l1_loss(best.corners[top], corners[0][0]) < 4

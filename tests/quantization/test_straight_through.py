import torch

from taskcodec.quantization.straight_through import clip_inward, round_through


def test_straight_through_rounds_and_passes_the_gradient():
    y = torch.tensor([0.2, 1.7, -0.9], requires_grad=True)
    rounded = round_through(y, torch.tensor([0.0, 0.0, 0.25]))
    torch.testing.assert_close(rounded, torch.tensor([0.0, 2.0, -0.75]))
    (rounded * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert y.grad.tolist() == [1, 2, 3]


def test_what_is_clipped_comes_back_and_goes_no_further():
    x = torch.tensor([-0.5, -0.5, 0.5, 1.5, 1.5], requires_grad=True)
    slope = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    clipped = clip_inward(x, 0.0, 1.0)
    (clipped * slope).sum().backward()
    assert clipped.tolist() == [0, 0, 0.5, 1, 1]
    assert x.grad.tolist() == [0, -1, 1, 1, 0]

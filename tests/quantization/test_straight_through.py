import torch

from taskcodec.quantization.straight_through import round_through


def test_straight_through_rounds_and_passes_the_gradient():
    y = torch.tensor([0.2, 1.7, -0.9], requires_grad=True)
    rounded = round_through(y, torch.tensor([0.0, 0.0, 0.25]))
    torch.testing.assert_close(rounded, torch.tensor([0.0, 2.0, -0.75]))
    (rounded * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert y.grad.tolist() == [1, 2, 3]

import torch

from taskcodec.quantization.noise import add_noise


def test_noise_is_uniform_and_repeats_with_its_generator():
    y = torch.zeros(20_000)
    noisy = add_noise(y, torch.Generator().manual_seed(3))
    assert noisy.min() >= -0.5
    assert noisy.max() <= 0.5
    assert abs(float(noisy.mean())) < 0.01
    assert abs(float(noisy.var()) - 1 / 12) < 0.002
    assert torch.equal(noisy, add_noise(y, torch.Generator().manual_seed(3)))

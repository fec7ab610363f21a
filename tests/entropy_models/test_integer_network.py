import numpy as np
import pytest
import torch

from taskcodec.entropy_models.integer_network import TrainableNetwork


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_the_exported_network_gives_the_trained_one_rounded(hidden):
    generator = torch.Generator().manual_seed(0)
    network = TrainableNetwork(10, hidden, 6, generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    offset, added = torch.rand(10, generator=generator) - 0.5, torch.rand(6, generator=generator)
    gains = [0, 3, 4, 0, 3, 4]
    whole = network.export(offset, gains, added)
    x = np.random.default_rng(0).integers(-60, 61, (500, 10)).astype(np.int32)
    with torch.no_grad():
        real = network.double()(torch.from_numpy(x).double() + offset) + added
    wanted = real.numpy() * 2.0 ** np.array(gains)
    # Both round; where they round differently, it is by the last place of an inner value.
    assert np.abs(whole(x) - wanted).max() < 0.75
    assert np.mean(whole(x) == np.floor(wanted + 0.5)) > 0.97


def test_gradients_pass_the_rounding():
    network = TrainableNetwork(4, (8,), 2, torch.Generator().manual_seed(0))
    x = torch.randn((32, 4), generator=torch.Generator().manual_seed(1), requires_grad=True)
    network(x).square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())

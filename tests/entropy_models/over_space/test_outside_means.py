import pytest
import torch

from taskcodec.entropy_models.over_space.outside_means import OutsideMeans


def made(checkerboard=True, given=()):
    torch.manual_seed(0)
    means = OutsideMeans((2, 3), 7, checkerboard, given)
    for parameter in means.parameters():
        parameter.data *= 3
    return means


@pytest.mark.parametrize("checkerboard", [True, False])
@pytest.mark.parametrize("given", [(), (1, 2)])
@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
def test_a_decoder_comes_to_the_values_of_the_encoder(checkerboard, given, size):
    means, y = made(checkerboard, given), 5 * torch.randn(3, 5, *size)
    below = [torch.round(4 * torch.randn(3, channels, *size)) for channels in given]
    with torch.no_grad():
        symbols, y_hat = means.quantize(y, below)
        assert torch.equal(symbols, torch.round(symbols))
        assert torch.equal(means.restore(symbols, below), y_hat)
        assert (y - y_hat).abs().max() < 0.501
        for each in range(3):
            alone = means.quantize(y[each : each + 1], [part[each : each + 1] for part in below])
            torch.testing.assert_close(alone[1], y_hat[each : each + 1], atol=1e-4, rtol=1e-4)
    assert (symbols != torch.round(y)).any()


def test_gradients_pass_to_the_latent_and_the_networks():
    means, y = made(), torch.randn(2, 5, 4, 4, requires_grad=True)
    symbols, y_hat = means.quantize(y)
    (symbols.square().sum() + y_hat.sum()).backward()
    assert (y.grad != 0).all()
    assert all(parameter.grad is not None for parameter in means.parameters() if parameter.numel() > 8)

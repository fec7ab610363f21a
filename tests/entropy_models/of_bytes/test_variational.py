import numpy as np
import pytest
import torch

from taskcodec.entropy_models.of_bytes.variational import TrainableAutoencoder, VariationalSizes
from tests.lossless import strokes


@pytest.mark.parametrize("levels", [((1, 2),), ((1, 2), (1, 3)), ((2, 1), (0, 2))])
def test_in_integers_it_says_what_it_said_in_floats(levels):
    torch.manual_seed(0)
    pictures = strokes(200, 9, 6, 2)
    model = TrainableAutoencoder((9, 6, 2), VariationalSizes(levels, 8, 6), np.full(256, 1 / 256))
    for weights in model.parameters():  # so that scales and means are not the same everywhere
        weights.data += 0.1 * torch.randn_like(weights)
    with torch.no_grad():
        of_bytes, of_latents = model(torch.from_numpy(pictures.astype(np.float32)), torch.Generator().manual_seed(0))
    assert all(nats.mean() > 0.1 for nats in of_latents)
    symbols = pictures.reshape(200, -1).astype(np.int32)
    frozen = model.freeze(symbols[:64])
    in_bytes = frozen.bits_back.likelihood.code_length(symbols, [frozen.bits_back.drawn(symbols)])
    assert in_bytes.mean() == pytest.approx(float(of_bytes.mean()) / np.log(2), rel=0.01)
    in_latents = (frozen.code_length(symbols) - in_bytes).mean()
    assert in_latents == pytest.approx(float(sum(of_latents).mean()) / np.log(2), rel=0.2)

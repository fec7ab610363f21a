import math

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from taskcodec.coding.models.overfitted.context import INDEX_BITS, INDEX_START, PHASES
from taskcodec.entropy_models.over_space.mirrored_laplace import LEAST, MOST, SCALES, laplace_bits, overfitted_bank


def test_bits_are_those_of_the_density():
    y = torch.tensor([0.0, 1.0, -3.0, 40.0])
    found = laplace_bits(y, torch.zeros(4), 0.25)

    def below(x):
        return 0.5 * math.exp(x) if x < 0 else 1 - 0.5 * math.exp(-x)

    masses = [below(k + 0.25) - below(k - 0.75) for k in (0, 1, -3)]
    assert found[:3].tolist() == pytest.approx([-math.log2(mass) for mass in masses], rel=1e-5)
    assert found[3].item() == pytest.approx((39.25 - math.log((1 - math.exp(-1)) / 2)) / math.log(2), rel=1e-5)


def test_gradients_are_finite_from_the_narrowest_scale_to_the_widest():
    y = torch.linspace(-60, 60, 241, requires_grad=True)
    for scale in (LEAST, MOST):
        log_scale = torch.full_like(y, scale, requires_grad=True)
        laplace_bits(y, log_scale).sum().backward()
        assert torch.isfinite(y.grad).all()
        assert torch.isfinite(log_scale.grad).all()


def test_tables_take_what_the_density_says():
    bank = overfitted_bank()
    assert bank.columns == 1 + SCALES * PHASES
    for index, mean in ((10, 0), (24, 1), (40, 2)):
        table = 1 + index * PHASES + mean
        symbols = np.arange(-3, 4)
        counts = bank.column(table)[symbols - bank.first[table]]
        log_scale = torch.tensor((index - INDEX_START) / 2**INDEX_BITS)
        wanted = laplace_bits(torch.arange(-3.0, 4.0), log_scale.expand(7), mean / 4).numpy()
        likely = counts > 500
        np.testing.assert_allclose(16 - np.log2(counts[likely]), wanted[likely], atol=0.02)

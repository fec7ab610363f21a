import numpy as np
import pytest
import torch

from taskcodec.coding import TABLE_BITS
from taskcodec.coding.models.spatial.choice import choose
from taskcodec.entropy_models.over_space.mirrored_gaussian import mirrored_bank, nearest_mean, table_bits


def test_the_estimate_is_what_tables_take():
    bank, run = mirrored_bank(64, 4), np.arange(-700, 701)
    for index in (0, 5, 16, 30, 45, 63):
        for u in (-9, 0, 3, 4, 21):
            choice = choose(np.array([[index, u]]), 0, 64, 4)
            table = bank.take(choice.table[0].astype(np.int64))
            taken = table.code_length(choice.residual(run[:, None].astype(np.int32)))
            mean = torch.tensor(u / 6)
            told = table_bits(torch.from_numpy(run).double(), torch.tensor(float(index)), mean).numpy()
            probability = 2.0**-taken
            assert (probability * (told - taken)).sum() == pytest.approx(0, abs=2e-3)
            assert np.abs(told - taken)[taken < TABLE_BITS - 5].max() < 0.05


def test_a_gradient_leads_back_from_everywhere():
    for y in (0.0, 3.0, 40.0, 3000.0):
        index = torch.tensor(8.0, requires_grad=True)
        mean = torch.tensor(0.3, requires_grad=True)
        table_bits(torch.tensor(y), index, mean).backward()
        assert torch.isfinite(index.grad)
        assert (index.grad < 0) == (y > 1)
        assert (mean.grad < 0) == (y > 0.3)
        assert mean.grad != 0


def test_means_are_the_nearest_of_their_parts():
    mean = torch.tensor([-0.1, 0.0, 0.06, 0.1, 0.9], requires_grad=True)
    found = nearest_mean(mean, 8)
    assert found.tolist() == [-0.125, 0.0, 0.0, 0.125, 0.875]
    found.sum().backward()
    assert mean.grad.tolist() == [1.0] * 5


def test_one_phase_is_a_table_about_zero():
    bank = mirrored_bank(3, 1)
    assert bank.columns == 3
    for j in range(3):
        counts = bank.column(j)[:-1].astype(int)
        assert np.abs(counts - counts[::-1]).max() <= 1

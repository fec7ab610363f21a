import numpy as np
import pytest
import torch

from taskcodec.coding.tables import TOTAL
from taskcodec.entropy_models.gaussian import (
    fractional_mean,
    gaussian_bank,
    gaussian_bits,
    lattice_offset,
    levels_of,
    scale_index,
)


def test_the_bank_holds_the_density_that_training_sees():
    bank = gaussian_bank(40, 4)
    assert bank.columns == 640
    for index, part in ((0, 0), (0, 8), (18, 5), (39, 15)):
        j = (index << 4) + part
        symbols = np.arange(bank.first[j], bank.first[j] + bank.sizes[j])
        bits = gaussian_bits(torch.as_tensor(symbols).double(), torch.tensor(float(index)), part / 16)
        probability = 2.0 ** -bits.numpy()
        counts = bank.column(j)[:-1] / TOTAL
        assert np.abs(counts - probability).max() < 1e-4 + 0.01 * probability.max()
        cost = float((probability * -np.log2(counts)).sum()) / float((probability * bits.numpy()).sum() + 1e-3)
        assert cost < 1.01


def test_indices_and_means_are_whole_and_pass_gradients_back():
    x = torch.tensor([-1.0, 0.03, 2.2, 99.0], requires_grad=True)
    index = scale_index(x)
    assert index.tolist() == [0, 0, 18, 63]
    index.sum().backward()  # descending lowers all: back is where the gradient leads from above only
    assert x.grad.tolist() == [0, 8, 8, 8]
    x.grad = None
    (-scale_index(x)).sum().backward()
    assert x.grad.tolist() == [-8, -8, -8, 0]
    assert fractional_mean(torch.tensor([0.26, -0.27])).tolist() == [0.25, -0.25]


def test_far_symbols_have_finite_bits_and_gradients():
    y = torch.tensor([0.0, 5.0, 1e6], requires_grad=True)
    bits = gaussian_bits(y, torch.zeros(3))
    bits.sum().backward()
    assert bits[0] < 1e-3
    assert torch.isfinite(bits).all()
    assert torch.isfinite(y.grad).all()


def test_the_offset_is_where_columns_crowd():
    crowd = torch.tensor([[0.3, -3.49], [1.32, 2.51], [-2.7, 0.52]])
    assert lattice_offset(crowd).tolist() == pytest.approx([0.3067, -0.4867], abs=0.01)


def test_levels_have_a_margin_and_an_end():
    assert levels_of(np.array([[3, 7]])) == 12
    assert levels_of(np.array([[200]])) == 64
    assert levels_of(np.empty((0, 2), np.int64)) == 5

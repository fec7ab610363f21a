import numpy as np
import torch

from taskcodec.coding import tables_from_symbols
from taskcodec.entropy_models.autoregressive import Autoregressive
from tests.entropy_models.trained import symbols_of, train


def test_a_linear_model_finds_a_linear_mean():
    """y_2 = .7 y_1 + noise of sigma 1.5, in the step's units: its rate is the noise's."""
    generator = torch.Generator().manual_seed(0)
    first = torch.round(5 * torch.randn((6000, 1), generator=generator))
    y = torch.cat([first, 0.7 * first + 1.5 * torch.randn((6000, 1), generator=generator)], dim=1)
    model = train(Autoregressive(2, groups=2, hidden=(), generator=generator), y)
    frozen = model.freeze(y)
    symbols = symbols_of(frozen, y)
    noise = np.rint(y[:, 1:].numpy() - 0.7 * first.numpy() - frozen.centre[1]).astype(np.int32)
    least = float(tables_from_symbols(noise).code_length(noise).sum() + of_first(symbols))
    assert frozen.model.code_length(symbols).sum() < 1.03 * least


def of_first(symbols):
    return tables_from_symbols(symbols[:, :1]).code_length(symbols[:, :1]).sum()


def test_more_groups_than_columns_are_as_many_as_columns():
    assert Autoregressive(3, groups=9).sizes == [1, 1, 1]
    assert Autoregressive(7, groups=3).sizes == [3, 2, 2]

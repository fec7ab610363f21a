import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.coding.models.spatial.choice import choose

ANY = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=9), st.integers(0, 4))
def test_symbols_come_back_whatever_is_said(rows, fraction_bits):
    out = np.array(rows, np.int64).reshape(-1, 3)
    choice = choose(out[:, :2], 7, 5, fraction_bits)
    assert choice.table.min(initial=7) >= 7
    assert choice.table.max(initial=7) < 7 + (5 << fraction_bits)
    symbols = out[:, 2:].astype(np.int32)
    assert np.array_equal(choice.symbols(choice.residual(symbols)), symbols)
    alone = choose(out[:, :2], 7, 5, None)
    assert np.array_equal(alone.residual(out[:, :2].astype(np.int32)), out[:, :2])
    assert np.array_equal(alone.table, 7 + np.clip(out[:, :2], 0, 4))


@pytest.mark.parametrize("fraction_bits", [0, 2, 3])
def test_a_table_is_for_the_distance_of_the_mean(fraction_bits):
    """Residual and symbol lie alike about their means, which a mirrored table reflects."""
    parts, u = 2 << fraction_bits, np.arange(-40, 40)
    choice = choose(np.stack([np.zeros_like(u), u], axis=1), 0, 1, fraction_bits)
    mean = (u + 0.5) / parts
    of_table = (choice.table[:, 0] + 0.5) / parts
    assert of_table.max() < 0.5
    for symbol in (-3, 0, 5):
        residual = choice.residual(np.full((80, 1), symbol, np.int32))[:, 0]
        assert np.array_equal(residual - of_table, (symbol - mean) * choice.sign[:, 0])

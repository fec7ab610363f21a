import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.coding.models.spatial.choice import choose

ANY = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=9), st.integers(1, 9))
def test_symbols_come_back_whatever_is_said(rows, phases):
    out = np.array(rows, np.int64).reshape(-1, 3)
    choice = choose(out[:, :2], 7, 5, phases)
    assert choice.table.min(initial=7) >= 7
    assert choice.table.max(initial=7) < 7 + 5 * phases
    symbols = out[:, 2:].astype(np.int32)
    assert np.array_equal(choice.symbols(choice.residual(symbols)), symbols)
    alone = choose(out[:, :2], 7, 5, None)
    assert np.array_equal(alone.residual(out[:, :2].astype(np.int32)), out[:, :2])
    assert np.array_equal(alone.table, 7 + np.clip(out[:, :2], 0, 4))


@pytest.mark.parametrize(("phases", "parts"), [(1, 1), (2, 2), (4, 6), (5, 8)])
def test_a_table_is_for_the_distance_of_the_mean(phases, parts):
    """Residual and symbol lie alike about their means, which a mirrored table reflects."""
    u = np.arange(-40, 40)
    choice = choose(np.stack([np.zeros_like(u), u], axis=1), 0, 1, phases)
    mean, of_table = u / parts, choice.table[:, 0] / parts
    assert len(np.unique(of_table)) == phases
    assert of_table.max() <= 0.5
    for symbol in (-3, 0, 5):
        residual = choice.residual(np.full((80, 1), symbol, np.int32))[:, 0]
        np.testing.assert_allclose(residual - of_table, (symbol - mean) * choice.sign[:, 0], atol=1e-12)

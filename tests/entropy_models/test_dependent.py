import numpy as np

from taskcodec.coding.trellis import Trellis
from taskcodec.entropy_models.dependent import freeze_dependent

RNG = np.random.default_rng(0)
MACHINE = Trellis(8)


def counted(symbols, sharing=None):
    return freeze_dependent(symbols, MACHINE.along(symbols), MACHINE, sharing)


def test_tables_code_what_they_counted_at_about_its_entropy():
    symbols = np.rint(2 * RNG.normal(size=(4000, 6))).astype(np.int32)
    values, counts = np.unique(symbols, return_counts=True)
    entropy = -(counts / symbols.size) @ np.log2(counts / symbols.size)
    found = counted(symbols).costs(symbols)
    assert abs(found.mean() - entropy) < 0.03
    assert len(values) < 25


def test_zero_has_a_count_of_its_own_in_the_second_table():
    symbols = np.rint(RNG.normal(size=(4000, 5))).astype(np.int32)
    second = MACHINE.along(symbols) == 1
    symbols[second & (RNG.random(symbols.shape) < 0.5)] &= 1  # fewer even ones, zero apart: states stay as they are
    again = MACHINE.along(symbols)
    tables = counted(symbols)
    for j in (2, 3, 4):
        share = (symbols[again[:, j] == 1, j] == 0).mean()
        assert abs(tables.zeros[j] / 2**16 - share) < 0.01


def test_columns_may_share():
    symbols = np.rint(RNG.normal(size=(100, 6)) * [1, 1, 1, 5, 5, 5]).astype(np.int32)
    sharing = np.array([0, 0, 0, 1, 1, 1], np.int32)
    tables = counted(symbols, sharing)
    assert tables.sharing.tolist() == sharing.tolist()
    assert tables.zeros.shape == (2,)
    assert tables.choices.columns == 12
    assert tables.zeros[0] > tables.zeros[1]


def test_what_was_never_seen_costs_but_is_no_fault():
    """The second quantizer of a first column has no symbols at all; runs reach zero wherever data lie."""
    tables = counted(np.full((70, 2), 500, np.int32))
    assert (tables.first.first <= 0).all()
    assert (tables.first.first + tables.first.sizes > 500).all()
    assert tables.code_length(np.array([[500, 500]]))[0] < 1
    assert tables.code_length(np.array([[7, 9_999_999]]))[0] > 40

"""Tables that columns share, spread over the columns and gathered again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import SharedTables, freeze_pmf
from taskcodec.coding.tables import MAX_SIZE
from taskcodec.errors import CorruptFileError


def bank(sizes):
    return freeze_pmf(-np.arange(len(sizes)), [np.ones(size) for size in sizes], 0.01)


def shared(sizes, index):
    return SharedTables(bank(sizes), np.array(index, np.int32))


def test_every_column_has_the_table_of_its_number():
    shares = shared([2, 5, 3], [2, 0, 0, 1, 2])
    tables = shares.tables()
    assert tables.sizes.tolist() == [3, 2, 2, 5, 3]
    assert tables.first.tolist() == [-2, 0, 0, -1, -2]
    for j, number in enumerate(shares.index):
        assert np.array_equal(tables.column(j), shares.bank.column(number))
    assert shares.spread(np.arange(10)).tolist() == [7, 8, 9, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert shares.first_columns.tolist() == [1, 3, 0]


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_what_was_spread_is_gathered(data, sizes):
    more = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=20))
    shares = shared(sizes, data.draw(st.permutations([*range(len(sizes)), *more])))
    values = np.arange(sum(sizes))
    assert np.array_equal(shares.gather(shares.spread(values)), values)
    assert shares.are(shares.tables())
    assert shares.are(shares.tables().take(np.arange(len(shares.index))))


def test_other_tables_are_told():
    shares = shared([2, 5], [0, 1, 1])
    for other in (bank([2, 5, 5]), bank([2, 5]), shares.tables().take(np.array([1, 1, 0])), None):
        assert not shares.are(other)


@pytest.mark.parametrize("index", [[0], [0, 2], [0, 1, 2], [-1, 0, 1], [], [[0, 1]], [1, 1]])
def test_numbers_that_name_no_table_or_leave_one_out_are_refused(index):
    with pytest.raises(CorruptFileError, match="the 2 there are not those that columns name"):
        shared([2, 5], index)


def test_more_counts_than_any_file_has_are_refused():
    with pytest.raises(CorruptFileError, match="larger than any of ours"):
        shared([MAX_SIZE], np.zeros(2**13))

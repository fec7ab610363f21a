"""Tables that columns share, spread over the columns and gathered again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import SharedTables, decode_block, encode_block, freeze_pmf, read_model
from taskcodec.coding.models.tables import MAX_SIZE
from taskcodec.errors import CorruptFileError, MismatchError


def bank(sizes):
    return freeze_pmf(-np.arange(len(sizes)), [np.ones(size) for size in sizes], 0.01)


def shared(sizes, index):
    return SharedTables(bank(sizes), np.array(index, np.int32))


def test_every_column_has_the_table_of_its_number():
    shares = shared([2, 5, 3], [2, 0, 0, 1, 2])
    tables = shares.plain
    assert tables.sizes.tolist() == [3, 2, 2, 5, 3]
    assert tables.first.tolist() == [-2, 0, 0, -1, -2]
    for j, number in enumerate(shares.index):
        assert np.array_equal(tables.column(j), shares.distinct.column(number))
    assert shares.spread_points(np.arange(10)).tolist() == [7, 8, 9, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    sketch = np.arange(5, dtype=np.float32)[None]
    with pytest.raises(MismatchError, match="should share its points and sketch"):
        shares.gathered(np.zeros(15, np.float32), sketch)


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_what_was_spread_is_gathered(data, sizes):
    more = data.draw(st.lists(st.integers(0, len(sizes) - 1), max_size=20))
    shares = shared(sizes, data.draw(st.permutations([*range(len(sizes)), *more])))
    points, sketch = np.arange(sum(sizes), dtype=np.float32), np.arange(2 * len(sizes), dtype=np.float32).reshape(2, -1)
    again = shares.gathered(**shares.spread(points, sketch))
    assert np.array_equal(again["points"], points)
    assert np.array_equal(again["sketch"], sketch)


def test_symbols_are_coded_as_by_the_tables_of_each_column():
    shares = shared([2, 5, 3], [2, 0, 0, 1, 2])
    symbols = np.arange(60, dtype=np.int32).reshape(12, 5) % 7 - 2
    block = encode_block(symbols, shares)
    assert block == encode_block(symbols, shares.plain)
    assert np.array_equal(decode_block(block, 12, shares), symbols)
    assert np.array_equal(shares.costs(symbols), shares.plain.costs(symbols))
    again = read_model("shared", shares.tensors())
    assert np.array_equal(again.index, shares.index)
    assert again.to_bytes() == shares.to_bytes() == shares.plain.to_bytes()


@pytest.mark.parametrize("index", [[0], [0, 2], [0, 1, 2], [-1, 0, 1], [], [[0, 1]], [1, 1]])
def test_numbers_that_name_no_table_or_leave_one_out_are_refused(index):
    with pytest.raises(CorruptFileError, match="the 2 there are not those that columns name"):
        shared([2, 5], index)


def test_more_counts_than_any_file_has_are_refused():
    with pytest.raises(CorruptFileError, match="larger than any of ours"):
        shared([MAX_SIZE], np.zeros(2**13))

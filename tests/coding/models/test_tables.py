import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import TABLE_BITS, Tables, freeze_pmf, tables_from_symbols
from taskcodec.errors import CorruptFileError

pmfs = st.lists(
    st.lists(st.floats(0, 1), min_size=1, max_size=40).map(lambda p: np.array(p) + 1e-12), min_size=1, max_size=5
)


@given(pmfs, st.floats(1e-9, 0.3), st.integers(-(2**31), 2**31 - 100))
def test_counts_are_positive_and_sum_to_the_total(columns, escape, first):
    tables = freeze_pmf(np.full(len(columns), first), columns, escape)
    for j, pmf in enumerate(columns):
        counts = tables.column(j)
        assert counts.min() >= 1
        assert counts.sum() == 2**TABLE_BITS
        exact = np.append(pmf / pmf.sum() * (1 - escape), escape) * 2**TABLE_BITS
        assert np.abs(counts - exact).max() <= len(counts) + 1
    again = Tables.from_bytes(tables.to_bytes())
    assert again.to_bytes() == tables.to_bytes() == Tables(again.first, again.sizes, again.counts).to_bytes()
    assert np.array_equal(again.counts, tables.counts)
    assert np.array_equal(again.first, tables.first)


def test_code_length_is_the_entropy_of_the_counts():
    tables = freeze_pmf([0], [np.array([0.5, 0.25, 0.25])], 2.0**-16)
    bits = tables.code_length(np.array([[0], [1], [7]]))
    assert bits == pytest.approx([1, 2, 15 + 32], abs=1e-3)  # the escape has the least count but one, 2


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_strange_bytes_are_refused(data):
    with pytest.raises(CorruptFileError):
        Tables.from_bytes(data)


@settings(max_examples=200)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_changed_bytes_are_refused_or_still_tables(position, change):
    data = bytearray(tables_from_symbols(np.random.default_rng(0).integers(-4, 5, (50, 8))).to_bytes())
    data[position % len(data)] ^= change
    try:
        tables = Tables.from_bytes(bytes(data))
    except CorruptFileError:
        return
    assert (tables.counts >= 1).all()


def test_hashes_hold_where_zlib_compresses_otherwise():
    """Tables that were read are written as they were read, whatever this machine's zlib would make of them."""
    ours = tables_from_symbols(np.random.default_rng(0).integers(-4, 5, (50, 8))).to_bytes()
    theirs = ours[:4] + zlib.compress(zlib.decompress(ours[4:]), 1)
    assert theirs != ours
    assert Tables.from_bytes(theirs).to_bytes() == theirs
    assert np.array_equal(Tables.from_bytes(theirs).counts, Tables.from_bytes(ours).counts)


@pytest.mark.parametrize("length", [0, 2**31, 2**32 - 1])
def test_a_bomb_is_not_inflated(length):
    bomb = length.to_bytes(4, "little") + zlib.compress(bytes(2**24), 9)
    with pytest.raises(CorruptFileError):
        Tables.from_bytes(bomb)

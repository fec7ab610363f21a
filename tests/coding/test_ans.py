import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import decode_block, encode_block, tables_from_symbols
from taskcodec.errors import CorruptFileError


def laplace(rows, columns, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return np.round(rng.laplace(size=(rows, columns)) * scale * rng.uniform(0.2, 1.5, columns)).astype(np.int32)


@settings(max_examples=150)
@given(
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)),
    hnp.arrays(np.int32, st.tuples(st.integers(1, 20), st.just(12)), elements=st.integers(-5, 5)),
)
def test_any_int32_round_trips_through_any_tables(symbols, trained_on):
    tables = tables_from_symbols(trained_on[:, : symbols.shape[1]])
    assert np.array_equal(decode_block(encode_block(symbols, tables), len(symbols), tables), symbols)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1, 7), (500, 1)])
def test_small_shapes(shape):
    symbols = laplace(*shape)
    tables = tables_from_symbols(laplace(50, shape[1]))
    assert np.array_equal(decode_block(encode_block(symbols, tables), shape[0], tables), symbols)


def test_constant_columns_cost_next_to_nothing():
    symbols = np.full((4096, 64), 3, np.int32)
    assert len(encode_block(symbols, tables_from_symbols(symbols))) < 64


def test_blocks_are_within_half_a_percent_of_the_ideal():
    symbols = laplace(4096, 200)
    tables = tables_from_symbols(symbols)
    assert 8 * len(encode_block(symbols, tables)) <= 1.005 * tables.code_length(symbols).sum()


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 50))
def test_strange_bytes_raise_only_our_error(data, rows):
    tables = tables_from_symbols(laplace(100, 5))
    with contextlib.suppress(CorruptFileError):
        assert decode_block(data, rows, tables).shape == (rows, 5)


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_damage_raises_our_error_or_gives_a_block_of_the_right_shape(position, change, cut):
    symbols = laplace(40, 5)
    tables = tables_from_symbols(symbols)
    data = bytearray(encode_block(symbols, tables))
    position %= len(data)
    data[position] ^= change
    with contextlib.suppress(CorruptFileError):
        assert decode_block(bytes(data[:position] if cut else data), 40, tables).shape == (40, 5)


@pytest.mark.parametrize("wrong", [[[2**40]], [[1.5]], [[np.nan]], [0], [[[0]]], [[0, 0]]])
def test_what_is_no_column_of_int32_is_refused(wrong):
    with pytest.raises(ValueError, match="symbols"):
        encode_block(np.array(wrong), tables_from_symbols([[0], [1]]))


def test_extremes_of_int32_are_escaped():
    symbols = np.array([[-(2**31), 2**31 - 1, 0], [2**31 - 1, -(2**31), -1]], np.int32)
    for first in (-(2**31), -1, 2**31 - 3):
        tables = tables_from_symbols(np.full((4, 3), first))
        assert np.array_equal(decode_block(encode_block(symbols, tables), 2, tables), symbols)


def test_a_block_of_other_rows_or_columns_is_refused():
    symbols = laplace(20, 5)
    tables = tables_from_symbols(symbols)
    data = encode_block(symbols, tables)
    for wrong in (lambda: decode_block(data, 19, tables), lambda: decode_block(data[:-4], 20, tables)):
        with pytest.raises(CorruptFileError):
            wrong()

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import decode_block, decode_sample, encode_block, encode_sample, tables_from_symbols
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
    assert np.array_equal(decode_sample(encode_sample(symbols[0], tables), tables), symbols[0])


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


@pytest.mark.parametrize("bits", [500, 800])
def test_single_samples_are_within_five_percent(bits):
    trained_on = laplace(4096, 512)
    columns = (
        int(
            np.searchsorted(
                np.cumsum(tables_from_symbols(trained_on).code_length(trained_on).mean() / 512 * np.ones(512)), bits
            )
        )
        + 8
    )
    tables = tables_from_symbols(trained_on[:, :columns])
    rows = trained_on[:400, :columns]
    ideal = tables.code_length(rows)
    rows, ideal = rows[ideal >= 500], ideal[ideal >= 500]
    assert 8 * sum(len(encode_sample(row, tables)) for row in rows) <= 1.05 * ideal.sum()


def test_damage_to_a_sample_is_noticed():
    tables = tables_from_symbols(laplace(1000, 100))
    row = laplace(1, 100, seed=5)[0]
    data = encode_sample(row, tables)
    silent = 0
    for position in range(8 * len(data)):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << position % 8
        try:
            silent += not np.array_equal(decode_sample(bytes(changed), tables), row)
        except CorruptFileError:
            continue
    assert silent <= 1  # a 16-bit check lets one change in 65,536 pass


@settings(max_examples=200)
@given(st.binary(max_size=120), st.integers(0, 50))
def test_strange_bytes_raise_only_our_error(data, rows):
    tables = tables_from_symbols(laplace(100, 5))
    for decode in (lambda: decode_block(data, rows, tables), lambda: decode_sample(data, tables)):
        with contextlib.suppress(CorruptFileError):
            assert decode().dtype == np.int32


def test_a_block_of_other_rows_or_columns_is_refused():
    symbols = laplace(20, 5)
    tables = tables_from_symbols(symbols)
    data = encode_block(symbols, tables)
    for wrong in (lambda: decode_block(data, 19, tables), lambda: decode_block(data[:-4], 20, tables)):
        with pytest.raises(CorruptFileError):
            wrong()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import (
    decode_huffman,
    decode_range,
    encode_block,
    encode_huffman,
    encode_range,
    tables_from_symbols,
)
from taskcodec.errors import CorruptFileError

CODERS = [(encode_range, decode_range), (encode_huffman, decode_huffman)]


@pytest.mark.parametrize(("encode", "decode"), CODERS)
@settings(max_examples=60)
@given(symbols=hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)))
def test_any_int32_round_trips(encode, decode, symbols):
    tables = tables_from_symbols(np.random.default_rng(0).integers(-3, 4, (30, symbols.shape[1])))
    assert np.array_equal(decode(encode(symbols, tables), len(symbols), tables), symbols)


@pytest.mark.parametrize(("encode", "decode"), CODERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=80), rows=st.integers(0, 20))
def test_strange_bytes_raise_only_our_error(encode, decode, data, rows):
    tables = tables_from_symbols(np.random.default_rng(0).integers(-3, 4, (30, 4)))
    try:
        found = decode(data, rows, tables)
    except CorruptFileError:
        return
    assert found.shape == (rows, 4)


def test_range_matches_ans_and_huffman_pays_for_whole_bits():
    rng = np.random.default_rng(0)
    symbols = np.round(rng.laplace(size=(1000, 30)) * 0.3).astype(np.int32)
    tables = tables_from_symbols(symbols)
    ideal = tables.code_length(symbols).sum() / 8
    assert len(encode_range(symbols, tables)) < 1.01 * ideal
    assert len(encode_block(symbols, tables)) < 1.01 * ideal
    assert len(encode_huffman(symbols, tables)) > 1.2 * ideal

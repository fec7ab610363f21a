"""What every coder of blocks, and every symbol model, does with any symbols and with any bytes."""

import constriction
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import tables_from_symbols
from taskcodec.errors import CorruptFileError


def coded(model, symbols, given):
    """What is popped after it was pushed, and the bits that it took."""
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, symbols, given)
    bits = coder.num_valid_bits()
    again = model.pop(coder, symbols.shape, given)
    assert coder.is_empty()
    return again, bits


def check_any_int32_round_trips(encode, decode):
    @settings(max_examples=60)
    @given(symbols=hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)))
    def check(symbols):
        tables = tables_from_symbols(np.random.default_rng(0).integers(-3, 4, (30, symbols.shape[1])))
        assert np.array_equal(decode(encode(symbols, tables), len(symbols), tables), symbols)

    check()


def check_strange_bytes_raise_only_our_error(decode):
    @settings(max_examples=60)
    @given(data=st.binary(max_size=80), rows=st.integers(0, 20))
    def check(data, rows):
        tables = tables_from_symbols(np.random.default_rng(0).integers(-3, 4, (30, 4)))
        try:
            found = decode(data, rows, tables)
        except CorruptFileError:
            return
        assert found.shape == (rows, 4)

    check()


def sharp(rows=1000, columns=30):
    """Symbols of less than a bit each, their tables, and the bytes that the tables give them."""
    symbols = np.round(np.random.default_rng(0).laplace(size=(rows, columns)) * 0.3).astype(np.int32)
    tables = tables_from_symbols(symbols)
    return symbols, tables, tables.code_length(symbols).sum() / 8

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import decode_sample, encode_sample, tables_from_symbols
from taskcodec.errors import CorruptFileError
from tests.coding.test_ans import laplace


@settings(max_examples=150)
@given(
    hnp.arrays(np.int32, st.integers(1, 40)),
    hnp.arrays(np.int32, st.tuples(st.integers(1, 20), st.just(40)), elements=st.integers(-5, 5)),
)
def test_any_int32_round_trips_through_any_tables(symbols, trained_on):
    tables = tables_from_symbols(trained_on[:, : len(symbols)])
    assert np.array_equal(decode_sample(encode_sample(symbols, tables), tables), symbols)


@pytest.mark.parametrize("columns", [300, 600, 1200])
def test_samples_of_500_bits_or_more_are_within_five_percent(columns):
    symbols = laplace(2000, columns)
    tables = tables_from_symbols(symbols)
    ideal = tables.code_length(symbols[:300])
    assert ideal.min() >= 500
    lengths = np.array([8 * len(encode_sample(row, tables)) for row in symbols[:300]])
    assert lengths.sum() <= 1.05 * ideal.sum()


def test_a_sample_of_500_bits_is_within_five_percent():
    symbols = laplace(4000, 300)
    tables = tables_from_symbols(symbols)
    columns = int(np.searchsorted(tables.code_length(symbols).mean() / 300 * np.arange(301), 510))
    tables = tables_from_symbols(symbols[:, :columns])
    ideal = tables.code_length(symbols[:, :columns])
    rows = symbols[(ideal >= 500) & (ideal < 520), :columns][:200]
    assert len(rows) > 50
    lengths = np.array([8 * len(encode_sample(row, tables)) for row in rows])
    assert lengths.mean() <= 1.05 * tables.code_length(rows).mean()


def test_damage_is_noticed():
    tables = tables_from_symbols(laplace(1000, 100))
    row = laplace(1, 100, seed=5)[0]
    data = encode_sample(row, tables)
    changed = [bytearray(data) for _ in range(8 * len(data))]
    for bit, copy in enumerate(changed):
        copy[bit // 8] ^= 1 << bit % 8
    silent = 0
    for copy in [*changed, *(data[:length] for length in range(len(data)))]:
        with contextlib.suppress(CorruptFileError):
            silent += not np.array_equal(decode_sample(bytes(copy), tables), row)
    assert silent <= 1  # a 16-bit check lets one change in 65,536 pass


@settings(max_examples=200)
@given(st.binary(max_size=120))
def test_strange_bytes_raise_only_our_error(data):
    tables = tables_from_symbols(laplace(100, 5))
    with contextlib.suppress(CorruptFileError):
        assert decode_sample(data, tables).shape == (5,)


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="3 tables"):
        encode_sample([1, 2], tables_from_symbols(laplace(10, 3)))

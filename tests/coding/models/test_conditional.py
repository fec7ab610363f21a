import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import (
    ConditionalTables,
    Group,
    IntegerNetwork,
    Linear,
    Tables,
    decode_block,
    decode_sample,
    encode_block,
    encode_sample,
    freeze_pmf,
    read_tables,
    tables_from_symbols,
)
from taskcodec.coding.packed import pack_numbers
from taskcodec.errors import CorruptFileError
from tests.coding.make_golden import golden_conditional
from tests.coding.models.test_integer_network import random_network

SCALES = 6


def laplace_bank(columns):
    """Own tables for so many columns, then tables of growing width, in quarters of a symbol."""
    run = np.arange(-40, 41)
    own = [np.exp(-np.abs(run)) for _ in range(columns)]
    shared = [np.exp(-np.abs(run - f / 4) * 2.0 ** (1 - s)) for s in range(SCALES) for f in range(4)]
    return freeze_pmf(np.full(columns + len(shared), -40), own + shared, 2.0**-14)


def tables_of(seed=0, hidden=(5,)):
    """3 columns, 4 that depend on them by index and mean, 2 by index alone; side information none."""
    groups = (
        Group(3),
        Group(4, 3, random_network(3, hidden, 8, seed), SCALES, 2),
        Group(2, 3, random_network(7, hidden, 2, seed + 1), SCALES),
    )
    return ConditionalTables(laplace_bank(3), groups)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.int32, st.tuples(st.integers(0, 9), st.just(9))), st.integers(0, 20))
def test_any_int32_round_trips(symbols, seed):
    tables = tables_of(seed)
    assert np.array_equal(decode_block(encode_block(symbols, tables), len(symbols), tables), symbols)
    for row in symbols[:2]:
        assert np.array_equal(decode_sample(encode_sample(row, tables), tables), row)


def test_blocks_are_within_half_a_percent_of_the_ideal():
    rng = np.random.default_rng(0)
    symbols, tables = np.round(rng.laplace(size=(4096, 9)) * 2).astype(np.int32), tables_of()
    assert 8 * len(encode_block(symbols, tables)) <= 1.005 * tables.code_length(symbols).sum()


def test_a_mean_and_scale_that_are_known_save_what_they_say():
    """y = 3 x + noise of width |x|: the network says so exactly, and the rate is the noise's."""
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, 20_000)
    y = 3 * x + np.round(rng.laplace(size=x.size) * 2.0 ** np.minimum(np.abs(x), 2)).astype(int)
    # |x| = relu(x) + relu(-x); the hidden values are capped at 2, index = 1 + |x|, mean in quarters = 12 x
    hidden = Linear(np.array([[1], [-1]]), np.zeros(2, np.int64), 0)
    output = Linear(np.array([[1, 1, 0], [0, 0, 12]]), np.array([1, 0]), 0)
    groups = (Group(1), Group(1, 1, IntegerNetwork(1, 100, 2, (hidden,), output), 4, 2))
    symbols, bank = np.stack([x, y], axis=1).astype(np.int32), laplace_bank(1)
    tables = ConditionalTables(bank, groups)
    of_x = Tables(bank.first[:1], bank.sizes[:1], bank.column(0)).code_length(symbols[:, :1])
    rate = float((tables.code_length(symbols) - of_x).sum())
    parts = [y[x == v, None] - 3 * v for v in range(-3, 4)]
    least = sum(float(tables_from_symbols(part).code_length(part).sum()) for part in parts)
    assert 0.99 * least < rate < 1.05 * least
    assert rate < 0.85 * tables_from_symbols(symbols[:, 1:]).code_length(symbols[:, 1:]).sum()


def test_side_information_goes_before_the_latent():
    tables = golden_conditional()
    y = np.random.default_rng(0).integers(-3, 4, (50, 36)).astype(np.int32)
    symbols = tables.with_side(y)
    assert tables.columns == 40
    assert np.array_equal(symbols[:, 4:], y)
    assert np.array_equal(symbols[:, :4], tables.side(y))
    assert len(np.unique(symbols[:, 0])) > 1


def test_bytes_round_trip_and_keep_what_was_read():
    for tables in (tables_of(), tables_of(hidden=()), golden_conditional()):
        again = read_tables(tables.to_bytes())
        assert isinstance(again, ConditionalTables)
        assert again.to_bytes() == tables.to_bytes()
        assert ConditionalTables(again.bank, again.groups, again.side).to_bytes() == tables.to_bytes()
    plain = laplace_bank(2)
    assert isinstance(read_tables(plain.to_bytes()), Tables)


def test_what_does_not_fit_is_refused():
    bank, network = laplace_bank(3), random_network(3, (), 4)
    for groups in (
        (),
        (Group(3, 0, random_network(0, (), 3)),),
        (Group(3), Group(4, 3, network, SCALES + 1, 2)),
        (Group(2), Group(4, 3, network, 2)),
        (Group(3), Group(3, 3, network, 2)),
        (Group(3), Group(4, 3, network, 2, 2)),
        (Group(99),),
        (Group(3, -1),),
    ):
        with pytest.raises(CorruptFileError, match="conditional"):
            ConditionalTables(bank, groups)
    with pytest.raises(CorruptFileError, match="side"):
        ConditionalTables(bank, (Group(3), Group(4, 3, network, 2)), side=random_network(5, (), 3))
    with pytest.raises(ValueError, match="9 tables"):
        encode_block(np.zeros((2, 8), np.int32), tables_of())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_strange_bytes_are_refused(data):
    for damaged in (data, b"COND" + data, b"COND" + len(data).to_bytes(4, "little") + data):
        with pytest.raises(CorruptFileError):
            ConditionalTables.from_bytes(damaged)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_changed_bytes_are_refused_or_still_tables(position, change, cut):
    data = bytearray(tables_of().to_bytes())
    position %= len(data)
    data[position] ^= change
    with contextlib.suppress(CorruptFileError):
        assert read_tables(bytes(data[:position] if cut else data)).columns >= 1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 9), st.integers(0, 2**62 + 1)), min_size=2, max_size=60))
def test_strange_numbers_are_refused_or_tables(numbers):
    """What a damaged file cannot reach for its check value, but a hostile one can."""
    packed = pack_numbers(np.array(numbers, dtype=np.uint64))
    with contextlib.suppress(CorruptFileError):
        data = b"COND" + len(packed).to_bytes(4, "little") + packed + laplace_bank(2).to_bytes()
        assert ConditionalTables.from_bytes(data).columns >= 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 50))
def test_strange_blocks_raise_only_our_error(data, rows):
    with contextlib.suppress(CorruptFileError):
        assert decode_block(data, rows, tables_of()).shape == (rows, 9)
    with contextlib.suppress(CorruptFileError):
        assert decode_sample(data, tables_of()).shape == (9,)


def test_damage_to_a_sample_is_noticed():
    tables, row = tables_of(), np.arange(9, dtype=np.int32) % 5 - 2
    data, silent = encode_sample(row, tables), 0
    for bit in range(8 * len(data)):
        copy = bytearray(data)
        copy[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(CorruptFileError):
            silent += not np.array_equal(decode_sample(bytes(copy), tables), row)
    assert silent <= 1  # a 16-bit check lets one change in 65,536 pass

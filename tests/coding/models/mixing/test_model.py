"""Rows of dependent columns come back at the bits that were promised; nothing damaged passes for a model or rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import decode_block, decode_sample, encode_block, encode_sample, read_model
from taskcodec.coding.models.mixing.columns import Modelled, Numbers, Parent, Raw
from taskcodec.coding.models.mixing.model import MixedContexts
from taskcodec.coding.models.mixing.numbers import TOKENS, Foretold
from taskcodec.coding.models.mixing.usual import usual_weights
from taskcodec.errors import CorruptFileError, MismatchError

RNG = np.random.default_rng(0)


def modelled(size, *contexts, in_order=False):
    contexts = ((), *contexts)
    return Modelled(np.arange(size) % 7, contexts, usual_weights(contexts), in_order)


def model():
    """Symbols, symbols of a context, numbers in some rows, plain bits in others, symbols and numbers in order."""
    return MixedContexts(
        (
            modelled(3),
            modelled(5, (Parent(0),)),
            Numbers(Foretold(5, ((1, 3 << 16),)), modelled(TOKENS, (Parent(1, 2),)), np.array([-3, 9, 40]), gate=0),
            Raw(0, np.array([0, 32, 7])),
            modelled(4, (Parent(2),), (Parent(0), Parent(2, 2)), in_order=True),
            Numbers(Foretold(in_order=True), modelled(TOKENS), np.empty(0, np.int64)),
            modelled(1),
        )
    )


@st.composite
def tables(draw):
    n = draw(st.integers(0, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 3, n)
    wide = rng.integers(-(2**31), 2**31, n)
    numbers = np.where(first == 0, np.where(rng.random(n) < 0.5, wide, rng.integers(-9, 60, n)), 0)
    bits = np.where(first == 1, rng.integers(-(2**31), 2**31, n), np.where(first == 2, rng.integers(0, 128, n), 0))
    columns = [first, rng.integers(0, 5, n), numbers, bits, rng.integers(0, 4, n), np.cumsum(rng.integers(0, 9, n))]
    return np.stack([*columns, np.zeros(n)], axis=1).astype(np.int32)


@given(tables())
@settings(max_examples=12, deadline=None)
def test_what_is_coded_comes_back(rows):
    assert np.array_equal(decode_block(encode_block(rows, model()), len(rows), model()), rows)
    for row in rows[:1]:
        assert np.array_equal(decode_sample(encode_sample(row, model()), model()), row)


def dependent(n=3000):
    first = RNG.integers(0, 3, n)
    second = (first + (RNG.random(n) < 0.1)) % 5
    numbers = np.where(first == 0, 3 * second + 5 + RNG.integers(-2, 3, n), 0)
    zero = np.zeros(n)
    return np.stack([first, second, numbers, np.where(first == 2, 5, 0), first, np.arange(n), zero], 1).astype(np.int32)


def test_bits_are_those_that_were_promised_and_dependence_saves_them():
    rows = dependent()
    promised = model().code_length(rows)
    np.testing.assert_allclose(model().costs(rows).sum(axis=1), promised)
    assert abs(8 * len(encode_block(rows, model())) - promised.sum()) < 0.002 * promised.sum() + 64
    each = model().costs(rows).sum(axis=0) / len(rows)
    assert each[1] < 0.8, "a column that another nearly says: h(.1) = .47 bits, where by itself it takes 2"
    assert each[5] < 0.6
    assert each[6] == 0
    assert model().slot_counts(rows).sum() == rows.size


def test_long_blocks_keep_counts_in_bounds():
    """Counts are halved before they leave their tables: rare symbols stay rare."""
    rows = np.zeros((150_000, 1), np.int32)
    rows[::1000] = 1
    alone = MixedContexts((modelled(2),))
    block = encode_block(rows, alone)
    assert np.array_equal(decode_block(block, len(rows), alone), rows)
    assert len(block) * 8 < 1.05 * 150_000 * 0.0114


def test_models_come_back_from_their_bytes():
    made, rows = model(), dependent(200)
    for found in (MixedContexts.from_bytes(made.to_bytes()), read_model("mixed", made.tensors())):
        assert found.to_bytes() == made.to_bytes()
        assert encode_block(rows, found) == encode_block(rows, made)
        assert found.columns == 7


def test_symbols_of_no_row_are_named():
    rows = dependent(5)
    rows[3, 1] = 5
    with pytest.raises(MismatchError, match="symbol 5 in column 1 of row 3"):
        encode_block(rows, model())


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
def test_damaged_models_are_refused_or_sound(place, change):
    data = bytearray(model().to_bytes())
    data[place % len(data)] ^= change
    try:
        found = MixedContexts.from_bytes(bytes(data))
    except CorruptFileError:
        return
    assert all(not isinstance(part, Raw) or part.gate < j for j, part in enumerate(found.parts))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=10, deadline=None)
def test_damaged_blocks_are_refused_or_differ(place, change):
    rows = dependent(60)
    data = bytearray(encode_block(rows, model()))
    data[place % len(data)] ^= change
    try:
        found = decode_block(bytes(data), len(rows), model())
    except CorruptFileError:
        return
    assert not np.array_equal(found, rows)


def test_columns_depend_on_earlier_ones_alone():
    with pytest.raises(CorruptFileError, match="not decoded before"):
        MixedContexts((modelled(3, (Parent(0),)),))
    with pytest.raises(CorruptFileError, match="not decoded before"):
        MixedContexts((modelled(3), Raw(0, np.array([0, 1, 2])), modelled(2, (Parent(1),))))
    with pytest.raises(CorruptFileError, match="widths"):
        MixedContexts((modelled(3), Raw(0, np.array([0, 1]))))


def test_a_known_block_reads_as_ever():
    """Bytes that were written once decode for ever: what the weights, tables and blocks are is part of the format."""
    rows = np.stack([np.arange(40) % 3, np.arange(40) % 5, np.zeros(40), np.zeros(40), np.zeros(40)], 1)
    rows = np.concatenate([rows, np.arange(40)[:, None] ** 2, np.zeros((40, 1))], axis=1).astype(np.int32)
    golden = bytes.fromhex(GOLDEN)
    assert encode_block(rows, model()) == golden
    assert np.array_equal(decode_block(golden, 40, model()), rows)


GOLDEN = (
    "28075c7ac1b21c53579682fd2e6b18d92c1a86ce9d290408ea8d563ed2543172bcf3239e60bfe6fcdd8b398a1e90978a37e4"
    "43463b0081cd1cfd7400004a4600000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000100c71df0610a4712e533337906ebfc3800d394fb3bd3933649d546a1fa"
    "09247a973fb1b5c2291e26433a69de03"
)


def test_what_changes_together_is_foretold():
    """Rows of one kind that last: that one column changes says when the others do."""
    kinds = np.repeat(RNG.integers(0, 5, 300), 10)
    others = np.array([3, 0, 1, 2, 4])[kinds]
    rows = np.stack([kinds, (others + np.arange(3000) // 500) % 5], axis=1).astype(np.int32)
    asked = MixedContexts((modelled(5, in_order=True), modelled(5, (Parent(0, 1),), in_order=True)))
    plain = MixedContexts((asked.parts[0], modelled(5, in_order=True)))
    assert np.array_equal(decode_block(encode_block(rows, asked), 3000, asked), rows)
    assert asked.costs(rows)[:, 1].sum() < 0.85 * plain.costs(rows)[:, 1].sum()

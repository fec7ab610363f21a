"""Tables of overfitted pictures: what is pushed comes back, whatever the size; what is none of ours is refused."""

import constriction
import numpy as np
import pytest

from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.overfitted.plan import HEAD
from taskcodec.coding.picture import decode_layer, encode_layer
from taskcodec.errors import CorruptFileError, MismatchError
from tests.coding.golden_overfitted import PLAN, SIZES, golden_overfitted, golden_overfitted_symbols
from tests.coding.make_golden import golden_symbols, golden_tables

TABLES = golden_overfitted(golden_symbols, golden_tables)


@pytest.mark.parametrize("size", [*SIZES, (1, 9), (2, 2), (64, 3)])
def test_symbols_come_back_in_their_bits(size):
    symbols, model = golden_overfitted_symbols(golden_symbols, size), TABLES.for_size(size)
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, symbols)
    bits = coder.num_valid_bits()
    assert np.array_equal(model.pop(coder, symbols.shape), symbols)
    assert coder.is_empty()
    length = model.code_length(symbols)
    assert length.shape == (1,)
    assert abs(bits - length[0]) < 40
    assert model.slot_counts(symbols).sum() == symbols.size


def test_bytes_come_back_as_the_same_model():
    again = OverfittedTables.from_bytes(TABLES.to_bytes())
    assert (again.plan, again.scales) == (PLAN, TABLES.scales)
    assert np.array_equal(again.start, TABLES.start)
    assert again.to_bytes() == TABLES.to_bytes()


def test_without_a_size_nothing_is_coded():
    symbols = golden_overfitted_symbols(golden_symbols, (1, 1))
    with pytest.raises(MismatchError, match="of a known size"):
        TABLES.code_length(symbols)
    with pytest.raises(MismatchError, match="of this picture they are"):
        TABLES.for_size((40, 40)).code_length(symbols)


def test_more_symbols_than_any_picture_of_ours_are_refused_at_once():
    size = (2**14, 2**14)
    count = PLAN.symbols(size)
    with pytest.raises(CorruptFileError, match="larger than any"):
        decode_layer(b"\1" * 2**10, TABLES, (count, 1), (), size)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [(0, 13, "finer"), (1, -1, "finer"), (HEAD - 1, 60, "a scale that none"), (HEAD, 2**31 - 1, "larger than any")],
)
def test_weights_that_none_of_ours_has_are_refused(place, value, words):
    size = (13, 30)
    symbols = golden_overfitted_symbols(golden_symbols, size)
    symbols[0, 0, 0, 0] = 0
    symbols[0, 0, place, 0] = value
    with pytest.raises(CorruptFileError, match=words):
        TABLES.for_size(size).code_length(symbols)


def test_damage_is_told():
    size = (13, 30)
    symbols = golden_overfitted_symbols(golden_symbols, size)
    data = encode_layer(symbols, TABLES, (), size)
    places = (symbols.shape[2], 1)
    assert np.array_equal(decode_layer(data, TABLES, places, (), size), symbols)
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[at] ^= 1 << rng.integers(0, 8)
        with pytest.raises(CorruptFileError):
            decode_layer(bytes(changed), TABLES, places, (), size)
    with pytest.raises(CorruptFileError):
        decode_layer(data[: len(data) // 2], TABLES, places, (), size)


@pytest.mark.parametrize("cut", [0, 7, 40, 400])
def test_damaged_tables_are_told(cut):
    with pytest.raises(CorruptFileError):
        OverfittedTables.from_bytes(TABLES.to_bytes()[:cut])


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(CorruptFileError, match="the bank"):
        OverfittedTables(TABLES.bank, PLAN, TABLES.start, TABLES.scales + 1)
    with pytest.raises(CorruptFileError, match="to start from"):
        OverfittedTables(TABLES.bank, PLAN, TABLES.start[:-1], TABLES.scales)
    with pytest.raises(CorruptFileError, match="larger than any"):
        OverfittedTables(TABLES.bank, PLAN, TABLES.start + (1 << 25), TABLES.scales)

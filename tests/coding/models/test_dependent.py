"""Tables of dependent quantization: what goes in comes out, at the bits they promise, whatever the states."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import (
    DependentTables,
    SharedTables,
    Tables,
    decode_block,
    decode_sample,
    encode_block,
    encode_sample,
    freeze_pmf,
    read_model,
    read_tables,
)
from taskcodec.coding.models.dependent import second_table
from taskcodec.coding.trellis import Trellis
from taskcodec.errors import CorruptFileError

RNG = np.random.default_rng(0)
BELL = np.exp(-np.abs(np.arange(-6, 7)) / 2)


def tables(columns=5):
    return freeze_pmf(np.full(columns, -6), [BELL] * columns, 0.001)


def dependent(columns=5, states=8):
    return DependentTables(tables(columns), np.arange(9000, 9000 + columns).astype(np.uint16), Trellis(states))


def shared(states=4):
    index = np.array([1, 0, 2, 1, 1], np.int32)
    return DependentTables(SharedTables(tables(3), index), np.array([500, 9000, 20000], np.uint16), Trellis(states))


@given(st.data(), st.sampled_from([4, 8, 256]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_coded_comes_back(data, states, shares):
    """Far symbols too, which no table has."""
    rows = data.draw(st.integers(0, 9))
    each = st.one_of(st.integers(-7, 7), st.integers(-(2**31), 2**31 - 1))
    flat = data.draw(st.lists(each, min_size=5 * rows, max_size=5 * rows))
    symbols = np.array(flat, np.int64).astype(np.int32).reshape(rows, 5)
    model = shared(states) if shares else dependent(5, states)
    assert np.array_equal(decode_block(encode_block(symbols, model), rows, model), symbols)
    for row in symbols[:1]:
        assert np.array_equal(decode_sample(encode_sample(row, model), model), row)
    assert model.slot_counts(symbols).sum() == symbols.size


def test_bits_are_those_that_were_promised():
    symbols = np.clip(np.rint(RNG.laplace(size=(4000, 5)) * 2), -6, 6).astype(np.int32)
    model = dependent()
    promised = model.code_length(symbols)
    np.testing.assert_allclose(model.costs(symbols).sum(axis=1), promised)
    assert 8 * len(encode_block(symbols, model)) == pytest.approx(promised.sum(), rel=2e-3)
    assert model.costs(np.array([[0, 0, 0, 0, 99]]))[0, 4] > 32
    counts = model.slot_counts(symbols)
    assert counts @ (16 - np.log2(model.choices.counts)) == pytest.approx(promised.sum())


def test_each_quantizer_has_its_tables():
    """The first symbol is of the first quantizer; an odd one leads to the second."""
    model = dependent(2, 4)
    bits = 16 - np.log2(model.choices.counts)
    for first, number in ((0, 1), (2, 1), (1, 3), (-3, 3)):
        for symbol in (-6, 0, 1):
            found = model.costs(np.array([[first, symbol]]))[0]
            assert found.tolist() == [bits[6 + first], bits[model.choices.starts[number] + 6 + symbol]]


def test_places_are_samples_of_their_own():
    model, symbols = dependent(), RNG.integers(-3, 4, (2, 5, 3, 4)).astype(np.int32)
    flat = np.moveaxis(symbols, 1, -1).reshape(-1, 5)
    assert np.array_equal(np.moveaxis(model.costs(symbols), 1, -1).reshape(-1, 5), model.costs(flat))


def test_a_count_between_two_is_their_geometric_mean():
    counts = np.array([100, 2500, 40000, 10000, 12836, 100], np.uint32)
    found = second_table(counts, 2, 20000)
    assert found.sum() == 2**16
    assert (found[2], found[5]) == (20000, 100)
    means = np.array([500.0, 10000.0, 20000.0, np.sqrt(10000 * 12836)])
    np.testing.assert_allclose(found[[0, 1, 3, 4]], means / means.sum() * (2**16 - 20100), atol=2)
    assert second_table(np.array([65000, 536], np.uint32), 0, 65000).tolist() == [65000, 536]


@given(st.lists(st.integers(1, 60000), min_size=2, max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_every_second_table_is_one(weights, data):
    """Positive counts that sum to 2**16, by integers alone."""
    pmf = np.array(weights, np.float64)
    own = freeze_pmf([0], [pmf], 1e-4)
    zero = data.draw(st.integers(0, len(pmf) - 1))
    count = data.draw(st.integers(1, 65536 - int(own.counts[-1]) - (len(pmf) - 1)))
    found = second_table(own.counts, zero, count)
    assert (found > 0).all()
    assert (found.sum(dtype=np.int64), found[zero], found[-1]) == (65536, count, own.counts[-1])


@pytest.mark.parametrize("make", [dependent, shared])
def test_bytes_and_tensors_give_the_same_tables(make):
    model = make()
    for again in (read_tables(model.to_bytes()), read_model("dependent", model.tensors())):
        assert again.trellis == model.trellis
        assert again.to_bytes() == model.to_bytes()
        assert np.array_equal(again.choices.counts, model.choices.counts)
        assert np.array_equal(again.choices.first, model.choices.first)
    kept = read_model("dependent", model.tensors())
    assert (kept.sharing is None) == (model.sharing is None)


def test_damaged_bytes_are_refused():
    data = dependent().to_bytes()
    for cut in range(4, len(data)):
        with pytest.raises(CorruptFileError):
            read_tables(data[:cut])
    for states in (0, 3, 512):
        with pytest.raises(CorruptFileError, match="states"):
            read_tables(data[:8] + states.to_bytes(2, "little") + data[10:])
    tensors = dependent().tensors()
    for head in (tensors["dependent"].astype("<i4"), tensors["dependent"][:0], tensors["dependent"][None]):
        with pytest.raises(CorruptFileError, match="tensor dependent is not a flat array of <u2"):
            read_model("dependent", {**tensors, "dependent": head})
    with pytest.raises(KeyError):
        read_model("dependent", dependent().first.tensors())


def test_tables_that_no_codec_has_are_refused():
    machine, away = Trellis(4), freeze_pmf([1], [BELL], 0.001)
    for first, zeros in ((tables(2), [9]), (away, [9]), (tables(1), [0]), (tables(1), [65535])):
        with pytest.raises(CorruptFileError, match="dependent tables"):
            DependentTables(first, np.array(zeros, np.uint16), machine)
    lone = Tables(np.array([0], np.int32), np.array([1], np.int32), np.array([65000, 536], np.uint32))
    assert DependentTables(lone, np.array([65000], np.uint16), machine).choices.counts.tolist() == [65000, 536] * 2
    with pytest.raises(CorruptFileError, match="too little or too much"):
        DependentTables(lone, np.array([64000], np.uint16), machine)

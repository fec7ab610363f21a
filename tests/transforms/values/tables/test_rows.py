"""Every value of every type comes back, bit for bit, also those that the fit never saw."""

import math
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.fitting.tables.fields import fit_fields
from taskcodec.transforms.values.kinds import read_values
from taskcodec.transforms.values.tables.numerals import Numeral
from taskcodec.transforms.values.tables.types import from_bits, named_type, to_bits, valid_of

INTEGERS = {f"{sign}int{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "u")}
FLOATS = st.one_of(st.floats(), st.floats(-1e4, 1e4).map(lambda x: round(x, 2)), st.integers(-99, 99).map(float))


def same(found, table):
    """Types, missing values and bits: NaN of any payload, -0.0."""
    assert found.schema.equals(table.schema)
    for one, other in zip(found.columns, table.columns, strict=True):
        one, other = one.combine_chunks(), other.combine_chunks()
        if pa.types.is_floating(one.type):
            assert np.array_equal(valid_of(one), valid_of(other))
            assert np.array_equal(to_bits(one), to_bits(other))
        else:
            assert one.equals(other)


def through(transform, table):
    symbols = transform.to_symbols(table)
    assert symbols.dtype == np.int32
    assert symbols.shape == (len(table), transform.columns)
    return transform.to_values(symbols)


def values_of(name):
    if name in INTEGERS:
        bits, sign = INTEGERS[name]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return st.one_of(st.integers(low, high), st.integers(max(low, -9), 9))
    return {
        "double": FLOATS,
        "float": st.floats(width=32),
        "halffloat": st.floats(width=16).map(np.float16),
        "bool": st.booleans(),
        "string": st.text("aé€\U0001d11e \0", max_size=7),
        "binary": st.binary(max_size=9),
        "large_string": st.text("ab", max_size=3),
        "date32[day]": st.dates(),
        "timestamp[us]": st.datetimes(),
        "timestamp[ns, tz=UTC]": st.integers(-(2**63), 2**63 - 1),
        "duration[s]": st.integers(-(10**6), 10**6),
        "time64[us]": st.integers(0, 86_400_000_000 - 1),
        "null": st.none(),
        "dictionary<values=string, indices=int8, ordered=0>": st.sampled_from(["a", "b", "c"]),
    }[name]


NAMES = [*INTEGERS, "double", "float", "halffloat", "bool", "string", "binary", "large_string", "date32[day]"]
NAMES += ["timestamp[us]", "timestamp[ns, tz=UTC]", "duration[s]", "time64[us]", "null"]
NAMES += ["dictionary<values=string, indices=int8, ordered=0>"]


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_values_of_every_type_come_back(name, data):
    """Those that were fitted, and others after them by the escape; read again from what a file holds."""
    column = st.lists(st.one_of(values_of(name), st.none()), max_size=12)
    kind = named_type(name)
    fitted, others = (pa.table({"x": pa.array(data.draw(column), kind)}) for _ in range(2))
    transform = fit_fields(fitted)
    same(through(transform, fitted), fitted)
    same(through(transform, others), others)
    again = read_values(transform.manifest(), transform.tensors())
    assert np.array_equal(again.to_symbols(fitted), transform.to_symbols(fitted))
    same(again.to_values(transform.to_symbols(others)), others)


def test_odd_floats_come_back_bit_for_bit():
    odd = np.array([0, 1 << 63, 0x7FF8000000000001, 0xFFF8000000000123, 0x7FF0000000000000, 1, 0x3FF0000000000000])
    bits = np.concatenate([odd.astype(np.uint64), np.arange(40, dtype=np.float64).view(np.uint64)])
    table = pa.table({"x": from_bits(bits, np.ones(len(bits), np.bool_), pa.float64())})
    assert np.array_equal(to_bits(through(fit_fields(table), table)["x"].combine_chunks()), bits)


def test_columns_are_laid_out_as_suits_them():
    n = 3000
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "few": rng.integers(0, 3, n) * 1000,
            "many": rng.integers(0, 10**6, n),
            "tens": rng.integers(0, 10**6, n) * 10,
            "wide": rng.integers(-(2**62), 2**62, n),
            "prices": np.round(rng.uniform(0, 1000, n), 2),
            "normal": rng.normal(size=n),
            "singles": rng.normal(size=n).astype(np.float32).astype(np.float64),
            "words": rng.choice(["a", "b"], n),
        }
    )
    fields = dict(zip(table.column_names, fit_fields(table).fields, strict=True))
    assert [fields[name].layout for name in ("few", "many", "tens", "wide")] == ["index", "number", "number", "wide"]
    assert fields["tens"].step == 10
    forms = [(fields[name].numeral.form, fields[name].numeral.digits) for name in ("prices", "normal", "singles")]
    assert forms == [("decimals", 2), ("ordered", 0), ("singles", 0)]
    assert fields["words"].indexed


@given(st.integers(-(2**63), 2**63 - 1))
@settings(max_examples=50, deadline=None)
def test_ordered_bits_keep_the_order_of_floats(number):
    bits = np.array([number], np.int64).view(np.uint64)
    whole, fits = Numeral(pa.float64()).whole(bits)
    assert fits.all()
    value = float(bits.view(np.float64)[0])
    if not math.isnan(value):
        assert (whole[0] > Numeral(pa.float64()).whole(np.array([0], np.uint64))[0][0]) == (value > 0)


def test_long_words_that_are_not_listed_are_named():
    transform = fit_fields(pa.table({"city": ["Ulm", "Bern"]}))
    with pytest.raises(MismatchError, match=r"column 'city', row 1: .* a word of 32 bytes that"):
        transform.to_symbols(pa.table({"city": ["Ulm", "x" * 32]}))


def test_rows_may_be_dicts():
    table = pa.table({"day": [date(2026, 1, 2)], "at": [datetime(2026, 1, 2, 3)], "n": [7]})
    transform = fit_fields(table)
    row = {"day": date(2027, 5, 6), "at": None, "n": -1}
    found, alone = transform.gathered(row)
    assert alone
    assert through(transform, found).to_pylist() == [row]
    for odd in ({"day": None}, {"day": 1.5, "at": "x", "n": "y"}, 7, pa.table({"n": [1]})):
        with pytest.raises(MismatchError):
            transform.gathered(odd)
    with pytest.raises(MismatchError, match="column 'n' is of the type int8, not int64"):
        transform.gathered(table.set_column(2, "n", pa.array([1], pa.int8())))


def test_types_that_tables_cannot_have_are_named():
    with pytest.raises(MismatchError, match="column 'x' is of the type list"):
        fit_fields(pa.table({"x": [[1]]}))
    with pytest.raises(MismatchError, match="more than one column"):
        fit_fields(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_damaged_fields_are_refused_or_differ(place, change):
    transform = fit_fields(pa.table({"x": [1.5, 2.5, None], "word": ["a", "b", "a"], "n": [1, 2, 1]}))
    tensors = transform.tensors()
    data = bytearray(tensors["fields"].tobytes())
    data[place % len(data)] ^= change
    try:
        found = read_values(transform.manifest(), {"fields": np.frombuffer(bytes(data), np.uint8)})
    except (CorruptFileError, KeyError, TypeError):
        return
    assert found.tensors()["fields"].tobytes() != tensors["fields"].tobytes()


def test_symbols_of_no_row_are_refused():
    table = pa.table({"x": list(range(50)) * 9, "word": ["a", "b", "c"] * 150})
    transform = fit_fields(table)
    for column in (0, transform.columns - 9):
        symbols = transform.to_symbols(table)
        symbols[5, column] = 99
        with pytest.raises(CorruptFileError):
            transform.to_values(symbols)

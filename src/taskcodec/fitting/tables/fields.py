"""The columns of a table -> how each becomes symbols: what is listed, and what is a number."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.errors import MismatchError
from taskcodec.fitting.tables.foretelling import candidates, plain_cost
from taskcodec.transforms.values.tables.numbers import MAX_LISTED, MAX_SPECIALS, NumberField
from taskcodec.transforms.values.tables.numerals import MAX_DIGITS, Numeral
from taskcodec.transforms.values.tables.rows import MAX_FIELDS, Field, TableRows
from taskcodec.transforms.values.tables.types import checked_type, is_text, plain, to_bits, valid_of, value_type
from taskcodec.transforms.values.tables.words import WordField

MOST_ESCAPED = 0.02
"""Of a column's values, what a form may leave to its escape."""
LISTING_BITS = 4.0
"""What a codec takes for a listed number beside the logarithm of its distance from the one before, in steps."""

Whole = npt.NDArray[np.int64]


def fit_fields(table: pa.Table) -> TableRows:
    """A table -> the transform of its rows. Raises MismatchError on columns that it cannot have."""
    names = table.column_names
    if not 1 <= len(names) <= MAX_FIELDS:
        raise MismatchError(f"a table of {len(names)} columns, where a lossless codec takes 1 to {MAX_FIELDS}")
    for name in names:
        if names.count(name) > 1:
            raise MismatchError(f"a table with more than one column {name!r}: name them apart")
    chunks = (table.column(place).combine_chunks() for place in range(len(names)))
    arrays = [each if isinstance(each, pa.Array) else pa.concat_arrays(each.chunks) for each in chunks]
    return TableRows(tuple(names), tuple(_field(array, name) for name, array in zip(names, arrays, strict=True)))


def _field(values: pa.Array, name: str) -> Field:
    kind = checked_type(values.type, name)
    return _words(values) if is_text(kind) else _numbers(values, kind)


def _words(values: pa.Array) -> WordField:
    """Frequent words first; but where most stand alone, in the order in which they come."""
    words = plain(values).cast(pa.large_binary()).drop_null()
    counted = words.value_counts()
    listed, counts = counted.field("values").to_pylist(), counted.field("counts").to_numpy(zero_copy_only=False)
    if 2 * len(listed) < len(words):
        order = sorted(range(len(listed)), key=lambda place: (-int(counts[place]), listed[place]))
        listed = [listed[place] for place in order]
    return WordField(values.type, tuple(listed))


def _numbers(values: pa.Array, kind: pa.DataType) -> NumberField:
    flat = plain(values)
    bits = to_bits(flat)[valid_of(flat)]
    numeral = next(_numerals(value_type(kind), bits))
    whole, fits = numeral.whole(bits)
    odd, often = np.unique(bits[~fits], return_counts=True)
    often_first = np.argsort(-often, kind="stable")[:MAX_SPECIALS]
    specials = tuple(int(odd[place]) for place in often_first if often[place] > 1)
    return _laid_out(kind, numeral, whole[fits], specials)


def _numerals(kind: pa.DataType, bits: npt.NDArray[np.uint64]) -> Iterator[Numeral]:
    """The forms that hold a column's values, the best first: few decimals, 32 bits, all bits."""
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        floats = bits.astype(f"u{kind.bit_width // 8}").view(f"f{kind.bit_width // 8}")
        # NaN, infinity and -0.0 have symbols of their own.
        rest = bits[np.isfinite(floats) & ~((floats == 0) & np.signbit(floats))]
        forms = [Numeral(kind, "decimals", digits) for digits in range(MAX_DIGITS + 1)]
        forms += [Numeral(kind, "singles")] * pa.types.is_float64(kind)
        for form in forms:
            if len(rest) and form.whole(rest)[1].mean() >= 1 - MOST_ESCAPED:
                yield form
    yield Numeral(kind)


def _laid_out(kind: pa.DataType, numeral: Numeral, whole: Whole, specials: tuple[int, ...]) -> NumberField:
    """The layout that seems to take the fewest bytes, before columns are seen together."""
    values, counts = np.unique(whole, return_counts=True)
    if not len(values):
        return NumberField(kind, numeral, "index", values, specials)
    low, high = int(values[0]), int(values[-1])
    step = int(np.gcd.reduce((values - values[0]).view(np.uint64))) if 0 < high - low < 2**63 else 1
    if high - low >= step * 2**31:
        number = NumberField(kind, numeral, "wide", values[:0], specials)
    else:
        number = NumberField(kind, numeral, "number", values[:0], specials, low, step)
    if len(values) > MAX_LISTED:
        return number
    if number.layout == "wide":
        as_numbers = 64.0 * len(whole)
    else:
        moved = ((whole - low) // step).astype(np.int32)
        rows = moved[:, None]
        as_numbers = plain_cost(moved, rows, candidates(moved, rows, [])[0])
    entropy = float((counts * np.log2(len(whole) / counts)).sum())
    distances = (
        np.log2(1.0 + np.diff(values).astype(np.float64) / step).sum() if high - low < 2**63 else 64.0 * len(values)
    )
    as_index = entropy + len(values) * (np.log2(len(whole)) / 2 + LISTING_BITS) + float(distances)
    return NumberField(kind, numeral, "index", values, specials) if as_index < as_numbers else number

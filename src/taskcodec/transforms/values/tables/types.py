"""The Arrow types that tables may have, and numbers of 64 bits that their values are, bit for bit.

    values of a type (n,) <--> bits (n,) uint64, 0 where a value is missing

Text and bytes have no such numbers.
"""

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.errors import CorruptFileError, MismatchError

Bits = npt.NDArray[np.uint64]
_UNITS = ("s", "ms", "us", "ns")
_SIMPLE = [pa.null(), pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
_SIMPLE += [pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.date32(), pa.date64(), pa.string()]
_SIMPLE += [pa.large_string(), pa.binary(), pa.large_binary(), pa.time32("s"), pa.time32("ms"), pa.time64("us")]
_SIMPLE += [pa.time64("ns"), *map(pa.timestamp, _UNITS), *map(pa.duration, _UNITS)]
_NAMED: dict[str, pa.DataType] = {str(kind): kind for kind in _SIMPLE}
_ZONED = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]{1,64})\]")
_CODED = re.compile(r"dictionary<values=([a-z0-9_]+), indices=(u?int(?:8|16|32|64)), ordered=([01])>")


def named_type(name: str) -> pa.DataType:
    """The type of a name as `str` gives it. Raises CorruptFileError on any that tables may not have."""
    if name in _NAMED:
        return _NAMED[name]
    if found := _ZONED.fullmatch(name):
        return pa.timestamp(found[1], found[2])
    if (found := _CODED.fullmatch(name)) and found[1] in _NAMED:
        return pa.dictionary(_NAMED[found[2]], _NAMED[found[1]], found[3] == "1")
    raise CorruptFileError(f"a column of the type {name!r}, which none of ours has")


def checked_type(kind: pa.DataType, column: str) -> pa.DataType:
    """The type, where tables may have it. Raises MismatchError where not."""
    try:
        if named_type(str(kind)) == kind:
            return kind
    except CorruptFileError:
        pass
    raise MismatchError(
        f"column {column!r} is of the type {kind}; lossless tables hold numbers, text, bytes, dates and times: "
        "convert it or leave it out"
    )


def value_type(kind: pa.DataType) -> pa.DataType:
    """What the values of a type are: of dictionaries their entries', else itself."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text or bytes."""
    value = value_type(kind)
    return any(
        test(value)
        for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def plain(values: pa.Array) -> pa.Array:
    """Values of a dictionary by themselves, others as they are."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def like(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Invert `plain`: values in the type that they had."""
    if not pa.types.is_dictionary(kind):
        return values
    coded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.cast(kind.index_type), coded.dictionary, ordered=kind.ordered)


def dtype_of(kind: pa.DataType) -> np.dtype[np.generic]:
    """Of the numbers that values of a type are stored as."""
    if pa.types.is_floating(kind):
        return np.dtype(f"f{kind.bit_width // 8}")
    if pa.types.is_unsigned_integer(kind):
        return np.dtype(f"u{kind.bit_width // 8}")
    return np.dtype("i1" if pa.types.is_null(kind) or pa.types.is_boolean(kind) else f"i{kind.bit_width // 8}")


def to_bits(values: pa.Array) -> Bits:
    """Numbers, dates or times -> their bits, signed ones spread over 64."""
    kind, dtype = values.type, dtype_of(values.type)
    if pa.types.is_null(kind):
        return np.zeros(len(values), np.uint64)
    if pa.types.is_boolean(kind):
        numbers = values.cast(pa.int8()).fill_null(0).to_numpy(zero_copy_only=False)
    else:
        buffer = values.buffers()[1]
        numbers = np.frombuffer(buffer, dtype, len(values), values.offset * dtype.itemsize) if len(values) else None
        numbers = np.zeros(0, dtype) if numbers is None else numbers
    if dtype.kind == "f":
        numbers = numbers.view(f"u{dtype.itemsize}")
    bits = numbers.astype(np.int64).view(np.uint64) if dtype.kind == "i" else numbers.astype(np.uint64)
    return np.where(valid_of(values), bits, np.uint64(0))


def from_bits(bits: Bits, valid: npt.NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """Invert `to_bits`. Raises CorruptFileError on numbers that the type does not hold."""
    if pa.types.is_null(kind):
        return pa.nulls(len(bits))
    dtype = dtype_of(kind)
    unsigned = np.dtype(f"u{dtype.itemsize}") if dtype.kind == "f" else dtype
    narrow = bits.view(np.int64).astype(unsigned) if dtype.kind == "i" else bits.astype(unsigned)
    wide = narrow.astype(np.int64).view(np.uint64) if dtype.kind == "i" else narrow.astype(np.uint64)
    if (wide != bits).any() or (pa.types.is_boolean(kind) and (bits > 1).any()):
        raise CorruptFileError(f"a number that {kind} does not hold")
    numbers = np.ascontiguousarray(narrow.view(dtype))
    mask = pa.py_buffer(np.packbits(valid, bitorder="little")) if not valid.all() else None
    if pa.types.is_boolean(kind):
        data = pa.py_buffer(np.packbits(numbers.astype(np.bool_), bitorder="little"))
    else:
        data = pa.py_buffer(numbers)
    return pa.Array.from_buffers(kind, len(bits), [mask, data])


def valid_of(values: pa.Array) -> npt.NDArray[np.bool_]:
    """(n,) where values are not missing."""
    return np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.bool_)

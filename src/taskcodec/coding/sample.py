"""Single samples: one row of symbols as a stand-alone bitstream with a check value and no header.

    sample := the coder's words, little-endian, without the zero bytes at the end

An ANS coder that starts empty loses about twenty bits before its state is full. We let them work: the coder starts
from a state that holds a 16-bit check of the symbols, and a decoder that ends elsewhere knows that bits were changed.
"""

import zlib

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.symbol_model import Given, SymbolModel, checked_symbols
from taskcodec.errors import CorruptFileError

_CHECK_BITS = 16


def encode_sample(symbols: npt.ArrayLike, tables: SymbolModel, given: Given = ()) -> bytes:
    """(d,) symbols -> bytes; `given`: (1, c) symbols of each layer below that the tables follow from."""
    row = checked_symbols(np.asarray(symbols)[None], tables.columns)[0]
    coder = constriction.stream.stack.AnsCoder(np.array([_start(row)], dtype=np.uint32))
    tables.push(coder, row[None], given)
    return bytes(coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0"))


def decode_sample(data: bytes, tables: SymbolModel, given: Given = ()) -> npt.NDArray[np.int32]:
    """Invert `encode_sample`: bytes -> (d,) symbols. Raises CorruptFileError where the check fails."""
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), dtype="<u4").astype(np.uint32)
    if words.size == 0 or data[-1] == 0:
        raise CorruptFileError("a sample without bytes, or with a zero byte at its end, was damaged")
    coder = constriction.stream.stack.AnsCoder(words)
    row: npt.NDArray[np.int32] = tables.pop(coder, (1, tables.columns), given)[0]
    if not np.array_equal(coder.get_compressed(), [_start(row)]):
        raise CorruptFileError("the check value of a sample does not match its symbols: bits were changed")
    return row


def _start(row: npt.NDArray[np.int32]) -> int:
    return (1 << _CHECK_BITS) | (zlib.crc32(row.astype("<i4").tobytes()) & ((1 << _CHECK_BITS) - 1))

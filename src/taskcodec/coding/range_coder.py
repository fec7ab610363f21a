"""Blocks through a range coder (Martin, 1979): the same tables, symbols read in the order they were written.

    block := varint(rows) varint(columns) word*        words of constriction's RangeEncoder, little-endian uint32

Rates equal ANS's. A queue instead of a stack: for a writer that must emit while symbols still arrive.
"""

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.ans import block_shape
from taskcodec.coding.escapes import HALF, halves, whole
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.varint import write_varints
from taskcodec.errors import CorruptFileError


def encode_range(symbols: npt.ArrayLike, tables: Tables) -> bytes:
    """(n, d) int symbols -> bytes."""
    s = tables.checked(symbols)
    slots = tables.slots(s)
    coder = constriction.stream.queue.RangeEncoder()
    for j, model in enumerate(tables.models):
        coder.encode(np.ascontiguousarray(slots[:, j]), model)
        coder.encode(halves(s[slots[:, j] == tables.sizes[j], j]), HALF)
    header = write_varints(np.array([len(s), tables.columns], dtype=np.uint64))
    return header + bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_range(data: bytes, rows: int, tables: Tables) -> npt.NDArray[np.int32]:
    """Invert `encode_range`. Raises CorruptFileError on another shape or on bytes no encoder wrote."""
    found, columns, offset = block_shape(data)
    if (found, columns) != (rows, tables.columns):
        raise CorruptFileError(f"a block of {rows} x {tables.columns} symbols expected, {found} x {columns} found")
    words = np.frombuffer(data, dtype="<u4", offset=offset).astype(np.uint32)
    coder = constriction.stream.queue.RangeDecoder(words)
    symbols = np.empty((tables.columns, rows), dtype=np.int32)
    try:
        for j, model in enumerate(tables.models):
            symbols[j] = coder.decode(model, rows)
            escaped = symbols[j] == tables.sizes[j]
            raw = whole(coder.decode(HALF, 2 * int(escaped.sum())))
            symbols[j] += tables.first[j]
            symbols[j][escaped] = raw
    except (AssertionError, ValueError) as error:
        raise CorruptFileError(f"a damaged block: {error}") from error
    if not coder.maybe_exhausted():
        raise CorruptFileError("a block with more words than its symbols take was damaged")
    return np.ascontiguousarray(symbols.T)

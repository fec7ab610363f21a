"""Blocks: an array of symbols coded column by column with asymmetric numeral systems (Duda, 2009).

    block := varint(rows) varint(columns) word*        words little-endian uint32, as constriction's AnsCoder gives them

The coder starts from the word START and must be back there when all symbols are read: with the counts this tells a
block that was cut or mixed up from a whole one. A symbol outside its table's run is coded as the escape slot, and after
its column's slots come the escaped symbols themselves, as two raw 16-bit halves each.
"""

from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.tables import Tables
from taskcodec.coding.varint import read_varints, write_varints
from taskcodec.errors import CorruptFileError

START = 0x0001_7A5C
"""The coder's first word. A known state costs 17 bits a block, and is checked at its end."""
MAX_ROWS = 1 << 24

HALF = constriction.stream.model.Uniform(1 << 16)


def encode_block(symbols: npt.ArrayLike, tables: Tables) -> bytes:
    """(n, d) int symbols -> bytes."""
    columns = np.ascontiguousarray(tables.checked(symbols).T)
    coder = constriction.stream.stack.AnsCoder(np.array([START], dtype=np.uint32))
    push_columns(coder, columns, tables)
    header = write_varints(np.array([columns.shape[1], columns.shape[0]], dtype=np.uint64))
    return header + bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_block(data: bytes, rows: int, tables: Tables) -> npt.NDArray[np.int32]:
    """Invert `encode_block`: bytes -> (rows, d) int32 symbols.

    Raises CorruptFileError where the block does not hold `rows` rows of the tables' columns, or ends elsewhere.
    """
    found, columns, offset = block_shape(data)
    if (found, columns) != (rows, tables.columns):
        raise CorruptFileError(f"a block of {rows} x {tables.columns} symbols expected, {found} x {columns} found")
    words = np.frombuffer(data, dtype="<u4", offset=offset).astype(np.uint32)
    if words.size == 0 or words[-1] == 0:
        raise CorruptFileError("a block that ends in a zero word was damaged")
    coder = constriction.stream.stack.AnsCoder(words)
    symbols = pop_columns(coder, rows, tables)
    if not np.array_equal(coder.get_compressed(), [START]):
        raise CorruptFileError("a block whose coder does not end where it began was damaged")
    return np.ascontiguousarray(symbols.T)


def block_shape(data: bytes) -> tuple[int, int, int]:
    """(rows, columns, where the words begin) of a block; raises CorruptFileError where it has none."""
    head = bytes(data[:12])
    ends = [i for i, byte in enumerate(head) if byte < 128][:2]
    if len(ends) < 2 or (len(data) - ends[1] - 1) % 4:
        raise CorruptFileError("a block without a whole header and whole words was truncated")
    rows, columns = (int(number) for number in read_varints(head[: ends[1] + 1]))
    if rows > MAX_ROWS:
        raise CorruptFileError(f"a block of {rows} rows is larger than any of ours")
    return rows, columns, ends[1] + 1


def push_columns(coder: Any, columns: npt.NDArray[np.int32], tables: Tables) -> None:
    """Push (d, n) symbols so that `pop_columns` reads them first column first."""
    low = columns.min(axis=1) if columns.shape[1] else tables.first
    high = columns.max(axis=1) if columns.shape[1] else tables.first
    clean = (low >= tables.first) & (high - tables.sizes < tables.first)
    first, models = tables.first.tolist(), tables.models
    for j in range(len(columns) - 1, -1, -1):
        if clean[j]:
            coder.encode_reverse(columns[j] - np.int32(first[j]), models[j])
            continue
        slots = _slots(columns[j], j, tables)
        escaped = columns[j][slots == tables.sizes[j]].view(np.uint32)
        halves = np.stack([escaped & 0xFFFF, escaped >> 16], axis=1).astype(np.int32).ravel()
        coder.encode_reverse(halves, HALF)
        coder.encode_reverse(slots, models[j])


def pop_columns(coder: Any, rows: int, tables: Tables) -> npt.NDArray[np.int32]:
    """Pop (d, rows) symbols."""
    columns = np.empty((tables.columns, rows), dtype=np.int32)
    for j, (model, size) in enumerate(zip(tables.models, tables.sizes.tolist(), strict=True)):
        columns[j] = coder.decode(model, rows)
        if rows and int(columns[j].max()) == size:
            escaped = columns[j] == size
            halves = np.asarray(coder.decode(HALF, 2 * int(escaped.sum())), dtype=np.uint32).reshape(-1, 2)
            columns[j][escaped] = (halves[:, 0] | (halves[:, 1] << np.uint32(16))).view(np.int32) - tables.first[j]
    columns += tables.first[:, None]
    return columns


def _slots(column: npt.NDArray[np.int32], j: int, tables: Tables) -> npt.NDArray[np.int32]:
    slots = column.astype(np.int64) - int(tables.first[j])
    size = int(tables.sizes[j])
    return np.where((slots < 0) | (slots >= size), size, slots).astype(np.int32)

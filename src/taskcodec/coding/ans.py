"""Blocks: an array of symbols coded by tables, plain or conditional, with asymmetric numeral systems (Duda, 2009).

    block := varint(rows) varint(columns) word*        words little-endian uint32, as constriction's AnsCoder gives them

The coder starts from the word START and must be back there when all symbols are read: with the counts this tells a
block that was cut or mixed up from a whole one. The order of the symbols is the tables': `Tables.push`,
`ConditionalTables.push`.
"""

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.symbol_model import SymbolModel, checked_symbols
from taskcodec.coding.varint import read_varints, write_varints
from taskcodec.errors import CorruptFileError

START = 0x0001_7A5C
"""The coder's first word. A known state costs 17 bits a block, and is checked at its end."""
MAX_ROWS = 1 << 24


def encode_block(symbols: npt.ArrayLike, tables: SymbolModel) -> bytes:
    """(n, d) int symbols -> bytes."""
    s = checked_symbols(symbols, tables.columns)
    coder = constriction.stream.stack.AnsCoder(np.array([START], dtype=np.uint32))
    tables.push(coder, s)
    header = write_varints(np.array(s.shape, dtype=np.uint64))
    return header + bytes(coder.get_compressed().astype("<u4").tobytes())


def decode_block(data: bytes, rows: int, tables: SymbolModel) -> npt.NDArray[np.int32]:
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
    symbols = tables.pop(coder, (rows, columns))
    if not np.array_equal(coder.get_compressed(), [START]):
        raise CorruptFileError("a block whose coder does not end where it began was damaged")
    return symbols


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

"""Huffman coding (1952) over the same tables, for comparison: a whole number of bits for each symbol.

    block := varint(rows) varint(columns) word*        words of constriction's QueueEncoder, little-endian uint32

At least one bit a symbol: where most symbols are zero, as in a feature codec, arithmetic coders save a large part. The
bytes of an escaped symbol follow it, eight bits each.
"""

import constriction
import numpy as np
import numpy.typing as npt

from taskcodec.coding.ans import block_shape
from taskcodec.coding.models.tables import TOTAL, Tables
from taskcodec.coding.varint import write_varints
from taskcodec.errors import CorruptFileError

_BYTE = np.full(256, 1 / 256)


def encode_huffman(symbols: npt.ArrayLike, tables: Tables) -> bytes:
    """(n, d) int symbols -> bytes."""
    s = tables.checked(symbols)
    slots, coder = tables.slots(s), constriction.symbol.QueueEncoder()
    byte = constriction.symbol.huffman.EncoderHuffmanTree(_BYTE)
    for j, size in enumerate(tables.sizes.tolist()):
        tree = constriction.symbol.huffman.EncoderHuffmanTree(tables.column(j) / TOTAL)
        for slot, symbol in zip(slots[:, j].tolist(), s[:, j].tolist(), strict=True):
            coder.encode_symbol(slot, tree)
            if slot == size:
                for part in symbol.to_bytes(4, "little", signed=True):
                    coder.encode_symbol(part, byte)
    words, _ = coder.get_compressed()
    header = write_varints(np.array([len(s), tables.columns], dtype=np.uint64))
    return header + bytes(np.asarray(words).astype("<u4").tobytes())


def decode_huffman(data: bytes, rows: int, tables: Tables) -> npt.NDArray[np.int32]:
    """Invert `encode_huffman`. Raises CorruptFileError on another shape or where bits run out."""
    found, columns, offset = block_shape(data)
    if (found, columns) != (rows, tables.columns):
        raise CorruptFileError(f"a block of {rows} x {tables.columns} symbols expected, {found} x {columns} found")
    coder = constriction.symbol.QueueDecoder(np.frombuffer(data, dtype="<u4", offset=offset).astype(np.uint32))
    byte = constriction.symbol.huffman.DecoderHuffmanTree(_BYTE)
    symbols = np.empty((rows, tables.columns), dtype=np.int32)
    try:
        for j, (first, size) in enumerate(zip(tables.first.tolist(), tables.sizes.tolist(), strict=True)):
            tree = constriction.symbol.huffman.DecoderHuffmanTree(tables.column(j) / TOTAL)
            for i in range(rows):
                slot = coder.decode_symbol(tree)
                if slot == size:
                    parts = bytes(coder.decode_symbol(byte) for _ in range(4))
                    symbols[i, j] = int.from_bytes(parts, "little", signed=True)
                else:
                    symbols[i, j] = first + slot
    except ValueError as error:
        raise CorruptFileError(f"a damaged block: {error}") from error
    return symbols

"""Chunks of a store as the manifest counts them: checked bytes, and checked symbols.

A chunk's own CRC-32C says that its bytes are whole; the manifest's, that they are the symbols that belong there. The
latter is of the symbols that count: a chunk may hold more, of an append that was never committed.
"""

import google_crc32c
import numpy as np
import numpy.typing as npt

from taskcodec.coding import SymbolModel
from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.manifest import Manifest, chunk_key
from taskcodec.store.format.zarr_codec import decode_rows, encode_rows


def write_chunk(blobs: Blobs, index: int, symbols: npt.NDArray[np.int32], tables: SymbolModel) -> int:
    """Put chunk `index` of (rows, k) symbols; their CRC-32C, for the manifest."""
    block = encode_rows(symbols, tables)
    blobs.put(chunk_key(index), block + google_crc32c.value(block).to_bytes(4, "little"))
    return symbols_crc32c(symbols)


def read_chunk(blobs: Blobs, manifest: Manifest, index: int, tables: SymbolModel) -> npt.NDArray[np.int32]:
    """(rows, k) symbols of a chunk: as many as the manifest counts, padding and later rows cut.

    Raises CorruptFileError naming the chunk: missing, damaged, or not the one that belongs there.
    """
    place = f"{blobs.name}/{chunk_key(index)}"
    data, part = blobs.get(chunk_key(index)), manifest.filled[index]
    if data is None:
        raise CorruptFileError(f"{place}: missing")
    if len(data) < 4 or google_crc32c.value(data[:-4]).to_bytes(4, "little") != data[-4:]:
        raise CorruptFileError(f"{place}: damaged (CRC-32C does not match its {len(data)} bytes)")
    try:
        found = decode_rows(data[:-4], tables, manifest.chunk_rows)[: part.rows]
    except CorruptFileError as error:
        raise CorruptFileError(f"{place}: {error}") from error
    if len(found) < part.rows:
        padded = np.zeros((part.rows, manifest.columns), np.int32)
        padded[: len(found)] = found
        found = padded
    if symbols_crc32c(found) != part.symbols_crc32c:
        raise CorruptFileError(f"{place}: not the symbols that belong there (another CRC-32C than the manifest's)")
    return found


def symbols_crc32c(symbols: npt.NDArray[np.int32]) -> int:
    """CRC-32C of symbols as little-endian 32-bit integers, row by row."""
    return int(google_crc32c.value(np.ascontiguousarray(symbols, "<i4").tobytes()))

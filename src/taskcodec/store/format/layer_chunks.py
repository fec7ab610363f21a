"""Chunks of a store as they are counted: checked bytes, and checked symbols, layer by layer.

A chunk's own CRC-32C says that its bytes are whole; that of its entry, that they are the symbols that belong there. The
latter is of the symbols that count: a chunk may hold more, of an append that was never committed. Of pictures, whose
symbols are many, it is of the items that hold them.
"""

from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from taskcodec.coding import SymbolModel, block_shape, decode_block, encode_block
from taskcodec.coding.symbol_model import Given
from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.manifest import BLOCKS, PACKETS, PICTURES, Manifest, StoredLayer

Rows = npt.NDArray[Any]
"""(rows, columns) int32 symbols; of pictures (rows, layers) items, as objects."""


@dataclass(frozen=True, eq=False)
class CodedLayer:
    """A layer of a store, and what codes it.

    Attributes:
        stored: where and how it lies.
        model: what its symbols are coded with.
    """

    stored: StoredLayer
    model: SymbolModel


def put_block(blobs: Blobs, key: str, block: bytes) -> None:
    """Put the bytes of a chunk, with their CRC-32C behind them."""
    blobs.put(key, block + google_crc32c.value(block).to_bytes(4, "little"))


def get_block(blobs: Blobs, key: str) -> bytes:
    """Invert `put_block`. Raises CorruptFileError where the chunk is missing or damaged."""
    place, data = f"{blobs.name}/{key}", blobs.get(key)
    if data is None:
        raise CorruptFileError(f"{place}: missing")
    if len(data) < 4 or google_crc32c.value(data[:-4]).to_bytes(4, "little") != data[-4:]:
        raise CorruptFileError(f"{place}: damaged (CRC-32C does not match its {len(data)} bytes)")
    return data[:-4]


def empty_rows(manifest: Manifest) -> Rows:
    """No rows of what a store holds."""
    if manifest.of_pictures:
        return np.empty((0, len(manifest.layers)), object)
    return np.empty((0, manifest.columns), np.int32)


def write_chunk(blobs: Blobs, key: str, layer: CodedLayer, symbols: Rows, given: Given) -> int:
    """Put a chunk of (rows, c) symbols of a layer, or (rows,) items; their CRC-32C, for the manifest."""
    from taskcodec.store.format.packets import encode_packets, join_items
    from taskcodec.store.format.zarr_codec import encode_rows

    if layer.stored.layout == PICTURES:
        block = join_items(symbols.tolist())
        put_block(blobs, key, block)
        return int(google_crc32c.value(block))
    if layer.stored.layout == PACKETS:
        block = encode_packets(symbols, layer.model, given)
    elif layer.stored.layout == BLOCKS:
        block = join_items([encode_block(symbols, layer.model)])
    else:
        block = encode_rows(symbols, layer.model)
    put_block(blobs, key, block)
    return symbols_crc32c(symbols)


def read_chunk(
    blobs: Blobs, manifest: Manifest, index: int, layer: CodedLayer, counted: Entry, given: Given
) -> npt.NDArray[np.int32]:
    """(rows, c) symbols of a layer's chunk: as many as are `counted` of it, padding and later rows cut.

    Raises CorruptFileError naming the chunk: missing, damaged, or not the one that belongs there.
    """
    from taskcodec.store.format.packets import decode_packets
    from taskcodec.store.format.zarr_codec import decode_rows

    key, stored, rows = manifest.chunk_key(layer.stored, index), layer.stored, counted.rows
    place, block = f"{blobs.name}/{key}", get_block(blobs, key)
    try:
        if stored.layout == PACKETS:
            found = decode_packets(block, layer.model, manifest.chunk_rows, given)[:rows]
        elif stored.layout == BLOCKS:
            found = _decode_item(block, layer.model, manifest.chunk_rows)[:rows]
        else:
            found = decode_rows(block, layer.model, manifest.chunk_rows)[:rows]
    except CorruptFileError as error:
        raise CorruptFileError(f"{place}: {error}") from error
    if len(found) < rows:
        padded = np.zeros((rows, stored.columns), np.int32)
        padded[: len(found)] = found
        found = padded
    _check(symbols_crc32c(found), manifest, stored, counted, place)
    return found


def _decode_item(block: bytes, model: SymbolModel, chunk_rows: int) -> npt.NDArray[np.int32]:
    """The symbols of a chunk of values: one item, a block. Raises CorruptFileError."""
    from taskcodec.store.format.packets import split_items

    items = split_items(block, 1)
    if not items or (found := block_shape(items[0])[0]) > chunk_rows:
        raise CorruptFileError(f"a chunk of {chunk_rows} rows that holds no block, or a longer one, was damaged")
    return decode_block(items[0], found, model)


def read_items(blobs: Blobs, manifest: Manifest, index: int, stored: StoredLayer, counted: Entry) -> list[bytes]:
    """The items of a chunk of pictures, as many as are counted; raises as `read_chunk` does."""
    from taskcodec.store.format.packets import join_items, split_items

    key = manifest.chunk_key(stored, index)
    place, block = f"{blobs.name}/{key}", get_block(blobs, key)
    try:
        found = split_items(block, manifest.chunk_rows)[: counted.rows]
    except CorruptFileError as error:
        raise CorruptFileError(f"{place}: {error}") from error
    _check(google_crc32c.value(join_items(found)), manifest, stored, counted, place)
    return found


def _check(found: int, manifest: Manifest, stored: StoredLayer, counted: Entry, place: str) -> None:
    if found != counted.symbols_crc32c[manifest.layers.index(stored)]:
        raise CorruptFileError(f"{place}: not the symbols that belong there (another CRC-32C than is counted of it)")


def symbols_crc32c(symbols: npt.NDArray[np.int32]) -> int:
    """CRC-32C of symbols as little-endian 32-bit integers, row by row."""
    return int(google_crc32c.value(np.ascontiguousarray(symbols, "<i4").tobytes()))

"""The layout of layers whose symbols are not an array of their own: an item of bytes for each sample.

    chunk := varint(items) varint(bytes of item 1) ... varint(bytes of item n) item 1 ... item n

An item is a layer of a sample as `taskcodec.coding.sample` has it, with a check value. Zarr sees an array of
variable-length bytes, whose items need the codec, and the layers that condition theirs, to become symbols. Empty items
at the end of a chunk (the padding of the last one) are not written.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from taskcodec.coding import SymbolModel, decode_sample, encode_sample
from taskcodec.coding.packet import join_layers, split_layers
from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints, write_varints
from taskcodec.errors import CorruptFileError, FutureVersionError

NAME = "taskcodec.packets"
VERSION = 1


@dataclass(frozen=True)
class PacketCodec(ArrayBytesCodec):
    """Chunks (rows,) of bytes, one item behind the other."""

    is_fixed_size = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read the metadata's `{"name": "taskcodec.packets", "configuration": {"version": 1}}`."""
        configuration = data.get("configuration")
        version = configuration.get("version") if isinstance(configuration, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise FutureVersionError(f"{NAME}: version {version!r}, this taskcodec reads up to {VERSION}: upgrade it")
        if version != VERSION:
            raise CorruptFileError(f"{NAME}: the configuration names no version of ours (found {version!r})")
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        return {"name": NAME, "configuration": {"version": VERSION}}

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Not known before coding."""
        raise NotImplementedError("the size of a chunk of packets is known only after coding it")

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        data = await asyncio.to_thread(join_items, [bytes(item) for item in chunk_array.as_numpy_array().tolist()])
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        items = await asyncio.to_thread(split_items, chunk_bytes.to_bytes(), chunk_spec.shape[0])
        chunk: npt.NDArray[Any] = np.full(chunk_spec.shape, b"", dtype=object)
        chunk[: len(items)] = np.array([*items, None], dtype=object)[:-1]
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)


def join_items(items: Sequence[bytes]) -> bytes:
    """Items -> a chunk, without the empty ones at its end."""
    used = max((place + 1 for place, item in enumerate(items) if item), default=0)
    return write_varints(np.array([used], np.uint64)) + (join_layers(items[:used]) if used else b"")


def split_items(data: bytes, chunk_rows: int) -> list[bytes]:
    """Invert `join_items`: at most `chunk_rows` items. Raises CorruptFileError."""
    head = bytes(data[:MAX_VARINT_BYTES])
    ends = [at for at, byte in enumerate(head) if byte < 128][:1]
    if not ends:
        raise CorruptFileError("a chunk of packets without their number was truncated")
    count = int(read_varints(head[: ends[0] + 1])[0])
    if count > chunk_rows:
        raise CorruptFileError(f"{count} packets in a chunk of {chunk_rows}")
    items = split_layers(data[ends[0] + 1 :], count) if count else []
    if None in items or (not count and len(data) > ends[0] + 1):
        raise CorruptFileError("a chunk of packets that ends elsewhere than they do was damaged")
    return [item for item in items if item is not None]


def encode_packets(symbols: Symbols, model: SymbolModel, given: Given) -> bytes:
    """(rows, c) symbols of a layer, given those below -> a chunk."""
    rows = range(len(symbols))
    return join_items([encode_sample(symbols[r], model, [below[r : r + 1] for below in given]) for r in rows])


def decode_packets(data: bytes, model: SymbolModel, chunk_rows: int, given: Given) -> Symbols:
    """Invert `encode_packets`: as many rows as were given of the layers below, and are there."""
    items, rows = split_items(data, chunk_rows), min((len(below) for below in given), default=chunk_rows)
    found = [decode_sample(item, model, [below[r : r + 1] for below in given]) for r, item in enumerate(items[:rows])]
    return np.stack(found) if found else np.empty((0, model.columns), np.int32)

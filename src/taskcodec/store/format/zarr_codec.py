"""The store's array-to-bytes codec for Zarr v3: a chunk of integer symbols <-> one ANS block.

Any Zarr v3 reader that finds the entry point `taskcodec.ans` opens our arrays. The configuration carries the frozen
tables, so an array decodes from its own metadata. Rows at the end of a chunk that hold only the fill value 0 (the
padding of the last chunk) are not coded.
"""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer

from taskcodec.coding import DependentTables, SymbolModel, block_shape, decode_block, encode_block, read_tables
from taskcodec.errors import CorruptFileError, FutureVersionError

NAME = "taskcodec.ans"
VERSION = 3
"""The newest version that is read. Version 2 has conditional tables, version 3 dependent ones; arrays with plain ones
stay version 1."""


@dataclass(frozen=True, eq=False)
class AnsCodec(ArrayBytesCodec):
    """Codes a chunk (rows, d) with frozen tables, one for each column or conditional ones."""

    tables: SymbolModel
    is_fixed_size = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnsCodec) and self.tables.to_bytes() == other.tables.to_bytes()

    def __hash__(self) -> int:
        return hash(self.tables.to_bytes())

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read the metadata's `{"name": "taskcodec.ans", "configuration": {"version": 1 to 3, "tables": base64}}`."""
        configuration = data.get("configuration")
        version = configuration.get("version") if isinstance(configuration, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise FutureVersionError(f"{NAME}: version {version!r}, this taskcodec reads up to {VERSION}: upgrade it")
        if configuration is None or type(version) is not int or version < 1:
            raise CorruptFileError(f"{NAME}: the configuration names no version of ours (found {version!r})")
        try:
            tables = read_tables(base64.b64decode(configuration["tables"], validate=True))
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(f"{NAME}: the configuration lacks its tables or mangles them") from error
        if tables.given_columns:
            raise CorruptFileError(f"{NAME}: tables that follow from another array")
        if version != _version_of(tables):
            raise CorruptFileError(f"{NAME}: version {version} does not have tables of this kind")
        return cls(tables)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads."""
        tables = base64.b64encode(self.tables.to_bytes()).decode("ascii")
        return {"name": NAME, "configuration": {"version": _version_of(self.tables), "tables": tables}}

    def validate(self, *, shape: tuple[int, ...], dtype: Any, chunk_grid: Any) -> None:
        """Raise ValueError on an array that is not (n, d) of the tables' d columns, chunked by rows."""
        if len(shape) != 2 or shape[1] != self.tables.columns:
            raise ValueError(f"{NAME} codes (n, {self.tables.columns}) arrays, found {shape}")

    def compute_encoded_size(self, input_byte_length: int, _chunk_spec: ArraySpec) -> int:
        """Not known before coding."""
        raise NotImplementedError("the size of an entropy-coded chunk is known only after coding it")

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer | None:
        data = await asyncio.to_thread(encode_rows, chunk_array.as_numpy_array(), self.tables)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        rows = await asyncio.to_thread(decode_rows, chunk_bytes.to_bytes(), self.tables, chunk_spec.shape[0])
        chunk = np.zeros(chunk_spec.shape, dtype=chunk_spec.dtype.to_native_dtype())
        chunk[: len(rows)] = rows
        return chunk_spec.prototype.nd_buffer.from_numpy_array(chunk)


def _version_of(tables: SymbolModel) -> int:
    return 1 if tables.plain is not None else 3 if isinstance(tables, DependentTables) else 2


def encode_rows(symbols: npt.NDArray[np.int32], tables: SymbolModel) -> bytes:
    """(rows, d) symbols -> a block without the all-zero rows at their end."""
    used = np.flatnonzero(symbols.any(axis=1))
    return encode_block(symbols[: int(used[-1]) + 1 if used.size else 0], tables)


def decode_rows(data: bytes, tables: SymbolModel, chunk_rows: int) -> npt.NDArray[np.int32]:
    """Invert `encode_rows`: the rows up to the last that is not all zero, at most `chunk_rows`."""
    rows = block_shape(data)[0]
    if rows > chunk_rows:
        raise CorruptFileError(f"a block of {rows} rows in a chunk of {chunk_rows}")
    return decode_block(data, rows, tables)

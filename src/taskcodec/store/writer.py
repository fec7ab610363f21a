"""Writing a store, chunk by chunk; a stop at any moment leaves the store of the last commit.

Order of a commit: chunk, part, the array's metadata, manifest. Until the manifest is put, readers see the old one, and
what it names is still there: a part that grows gets a new name, and a chunk that grows still begins with the old rows.
"""

import json
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from numbers import Integral
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import Crc32cCodec
from zarr.dtype import VariableLengthBytes
from zarr.errors import UnstableSpecificationWarning
from zarr.storage import MemoryStore

from taskcodec.codec import Codec
from taskcodec.coding import SymbolModel
from taskcodec.errors import CorruptFileError, MismatchError, StorageError, UsageError, check_kind
from taskcodec.layer import Layer, given_of, side_by_side
from taskcodec.store.backend import Blobs, ZarrBlobs, open_blobs, writer_lock
from taskcodec.store.chunk_writer import ChunkWriter
from taskcodec.store.format.chunks import CodedLayer, read_chunk
from taskcodec.store.format.manifest import (
    CODEC_KEY,
    GROUP_KEY,
    ONLY,
    PACKETS,
    ROWS,
    Manifest,
    Part,
    StoredLayer,
    checked_bytes,
    max_chunk_rows,
    read_manifest,
    sha256,
    shapeless,
    write_manifest,
)
from taskcodec.store.format.packets import PacketCodec
from taskcodec.store.format.records import OK, SampleRecord, parquet_to_table, records_to_parquet
from taskcodec.store.format.zarr_codec import AnsCodec

CHUNK_ROWS = 1024
"""Samples in a chunk: the unit of random access and of commit. Longer chunks save bytes (0.1 % from here on)."""


class StoreWriter:
    """Appends coded samples to a store.

    >>> import numpy as np, taskcodec
    >>> from zarr.storage import MemoryStore
    >>> from taskcodec.store import SampleRecord, StoreWriter
    >>> codec = taskcodec.fit(np.random.default_rng(0).normal(size=(500, 32)).astype("f4"), bits=64)
    >>> place = MemoryStore()
    >>> with StoreWriter.create(place, codec) as writer:
    ...     writer.append(codec.encode(np.zeros((1, 32))), [SampleRecord("a", 0, 128)])
    ...     manifest = writer.finish()
    >>> len(taskcodec.open(place))
    1
    """

    def __init__(self, blobs: Blobs, codec: Codec, manifest: Manifest, locks: ExitStack) -> None:
        self._blobs, self._codec, self.manifest, self._locks = blobs, codec, manifest, locks
        self._layers = [_coded(blobs, manifest, layer) for layer in codec.layers]
        self._rows: list[npt.NDArray[np.int32]] = []
        self._records: list[SampleRecord] = []
        self._pending_rows = 0
        self.resume_point = -1
        """source_index of the last record committed, -1 where there is none."""

    @classmethod
    def create(
        cls, place: Any, codec: Codec, *, chunk_rows: int = CHUNK_ROWS, source: dict[str, Any] | None = None
    ) -> Self:
        """Start a store where there is none. Raises StorageError where something lies in the way."""
        check_kind("chunk_rows", chunk_rows, Integral, "a whole number")
        longest = max_chunk_rows(codec.columns)
        if not 1 <= chunk_rows <= longest:
            raise UsageError(f"chunks hold 1 to {longest} samples of {codec.columns} symbols, found {chunk_rows}")
        blobs = open_blobs(place)
        locks = ExitStack()
        locks.enter_context(writer_lock(blobs))
        try:
            if blobs.get(GROUP_KEY) is not None:
                raise StorageError(f"{blobs.name}: there is a store already; append to it or name another place")
            remains = (f"{ONLY}/", "layers/", "samples/", CODEC_KEY, f".{CODEC_KEY}.", f".{GROUP_KEY}.")
            if any(not key.startswith(remains) for key in blobs.sizes()):  # those are of a run killed at once, too
                raise StorageError(f"{blobs.name}: other files lie there; name an empty place")
            data = codec.to_bytes()
            codes = [_codes_metadata(_layout_of(layer), layer.model, chunk_rows, 0) for layer in codec.layers]
            manifest = Manifest(
                state="writing",
                fingerprint=codec.fingerprint,
                dimension=codec.dimension,
                columns=codec.columns,
                chunk_rows=chunk_rows,
                samples=0,
                codec_sha256=sha256(data),
                layers=tuple(
                    StoredLayer(layer.name, layer.columns, _layout_of(layer), sha256(shapeless(each, layer.name)))
                    for layer, each in zip(codec.layers, codes, strict=True)
                ),
                source=source or {},
            )
            blobs.put(CODEC_KEY, data)
            for stored, each in zip(manifest.layers, codes, strict=True):
                blobs.put(manifest.codes_key(stored), each)
            write_manifest(blobs, manifest)
            return cls(blobs, codec, manifest, locks)
        except BaseException:
            locks.close()
            raise

    @classmethod
    def open(cls, place: Any, source: dict[str, Any] | None = None) -> Self:
        """Continue a store: resume an unfinished one, or append to a finished one (with a new `source`)."""
        blobs = open_blobs(place)
        locks = ExitStack()
        read_manifest(blobs)  # before locking: do not leave a lock file in a folder that is not ours
        locks.enter_context(writer_lock(blobs))
        try:
            manifest = read_manifest(blobs)
            data = checked_bytes(blobs, CODEC_KEY, manifest.codec_sha256)
            writer = cls(blobs, Codec.from_bytes(data, f"{blobs.name}/{CODEC_KEY}"), manifest, locks)
            writer._reopen_last_chunk()
            if source is not None:
                writer.manifest = replace(writer.manifest, source=source)
                writer.resume_point = -1
            return writer
        except BaseException:
            locks.close()
            raise

    def append(self, symbols: npt.NDArray[np.int32], records: Sequence[SampleRecord]) -> None:
        """Add the records of the next source samples, and (m, k) symbols for those of them that are ok, in order."""
        coded = sum(record.status == OK for record in records)
        if symbols.shape != (coded, self.manifest.columns):
            raise MismatchError(f"{coded} coded records of {self.manifest.columns} columns, symbols {symbols.shape}")
        self._rows.append(np.asarray(symbols, np.int32))
        self._records.extend(records)
        self._pending_rows += coded
        while self._pending_rows >= self.manifest.chunk_rows:
            self._commit(self.manifest.chunk_rows, final=False)

    @property
    def chunks(self) -> ChunkWriter:
        """Puts chunks for this writer, also in other processes; `append_written` commits them."""
        return ChunkWriter(self._blobs, self._codec, tuple(self._layers), replace(self.manifest, parts=(), source={}))

    def take_pending(self) -> tuple[npt.NDArray[np.int32], list[SampleRecord]]:
        """Symbols and records short of a chunk, such as those that an append goes on with; the writer lets go of them.

        Whoever takes them hands them in again: at the head of a chunk for `append_written`, or to `append`.
        """
        symbols, records = self._pending_symbols(), self._records
        self._rows, self._records, self._pending_rows = [], [], 0
        return symbols, records

    def append_written(self, records: Sequence[SampleRecord], crcs: tuple[int, ...]) -> None:
        """Commit the next chunk, which is full and was put by `chunks`; `records` end with that of its last row."""
        coded = sum(record.status == OK for record in records)
        if self._records or coded != self.manifest.chunk_rows:
            raise MismatchError(f"{coded} coded records, or others before them, for a chunk that was put already")
        self._commit_written(coded, records, crcs, final=False)

    def finish(self) -> Manifest:
        """Commit what is left and mark the store complete."""
        self._commit(self._pending_rows, final=True)
        self._remove_orphans()
        return self.manifest

    def close(self) -> None:
        """Release the store; rows short of a whole chunk are dropped unless `finish` was called."""
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pending_symbols(self) -> npt.NDArray[np.int32]:
        return np.concatenate(self._rows) if self._rows else np.empty((0, self.manifest.columns), np.int32)

    def _commit(self, rows: int, final: bool) -> None:
        symbols = self._pending_symbols()
        cut = len(self._records) if final else records_for(self._records, rows)
        index = self.manifest.samples // self.manifest.chunk_rows
        crcs = self.chunks.put(index, symbols[:rows]) if rows else (0,) * len(self._layers)
        self._commit_written(rows, self._records[:cut], crcs, final)
        self._rows, self._records = [symbols[rows:]], self._records[cut:]
        self._pending_rows -= rows

    def _commit_written(self, rows: int, records: Sequence[SampleRecord], crcs: tuple[int, ...], final: bool) -> None:
        """Commit so many rows, whose chunk was put, with their records."""
        index, parts = self.manifest.samples // self.manifest.chunk_rows, self.manifest.parts
        if records:
            data = records_to_parquet(records)
            name = f"samples/part-{index:06d}-{sha256(data)[:8]}.parquet"
            self._blobs.put(name, data)
            parts = (*parts, Part(name, sha256(data), rows, len(records) - rows, crcs))
        samples = self.manifest.samples + rows
        if rows:
            for layer in self._layers:
                codes = _codes_metadata(layer.stored.layout, layer.model, self.manifest.chunk_rows, samples)
                self._blobs.put(self.manifest.codes_key(layer.stored), codes)
        state = "complete" if final else "writing"
        self.manifest = replace(self.manifest, samples=samples, parts=parts, state=state)
        write_manifest(self._blobs, self.manifest)

    def _read_chunks(self, index: int) -> npt.NDArray[np.int32]:
        parts: dict[str, npt.NDArray[np.int32]] = {}
        for own, layer in zip(self._codec.layers, self._layers, strict=True):
            parts[own.name] = read_chunk(self._blobs, self.manifest, index, layer, given_of(own, parts))
        return side_by_side(parts)

    def _reopen_last_chunk(self) -> None:
        """Take a last chunk that is not full back into memory: it will be written again, longer."""
        manifest = self.manifest
        if manifest.parts:
            last = manifest.parts[-1]
            table = parquet_to_table(checked_bytes(self._blobs, last.file, last.sha256), last.file)
            self.resume_point = max(table["source_index"].to_pylist(), default=-1)
        rest = manifest.samples % manifest.chunk_rows
        if not rest and not (manifest.parts and manifest.parts[-1].rows == 0):
            return
        kept = list(manifest.parts)
        reopened: list[Part] = []
        while kept and (kept[-1].rows == 0 or sum(part.rows for part in kept) > manifest.samples - rest):
            reopened.insert(0, kept.pop())
        for part in reopened:
            table = parquet_to_table(checked_bytes(self._blobs, part.file, part.sha256), part.file)
            self._records.extend(SampleRecord(**row) for row in table.to_pylist())
        if rest:
            self._rows = [self._read_chunks(manifest.chunks - 1)]
            self._pending_rows = rest
        self.manifest = replace(manifest, samples=manifest.samples - rest, parts=tuple(kept))

    def _remove_orphans(self) -> None:
        named = {part.file for part in self.manifest.parts}
        for key in self._blobs.sizes():
            if (key.startswith("samples/part-") and key not in named) or key.endswith(".partial"):
                self._blobs.delete(key)


def records_for(records: Sequence[SampleRecord], rows: int) -> int:
    """How many of the records go with so many rows: up to that of the last one, or all."""
    seen = 0
    for position, record in enumerate(records):
        seen += record.status == OK
        if seen == rows:
            return position + 1
    return len(records)


def _layout_of(layer: Layer) -> str:
    """What codes alone is an array of rows; what needs other layers, an item for each sample."""
    return PACKETS if layer.model.given_columns else ROWS


def _coded(blobs: Blobs, manifest: Manifest, layer: Layer) -> CodedLayer:
    """A layer of a store with what codes it: its array's own tables, whose bytes another build of zlib may have made.

    Raises CorruptFileError where the array's metadata is missing or damaged, MismatchError where the layer is.
    """
    stored = next((found for found in manifest.layers if found.name == layer.name), None)
    if stored is None:
        raise MismatchError(f"{blobs.name}: its layers are not those of its codec")
    key = manifest.codes_key(stored)
    codes = blobs.get(key)
    if codes is None or sha256(shapeless(codes, key)) != stored.codes_sha256:
        raise CorruptFileError(f"{blobs.name}/{key}: missing or damaged")
    if stored.layout == PACKETS:
        return CodedLayer(stored, layer.model)
    return CodedLayer(stored, AnsCodec.from_dict(json.loads(codes)["codecs"][0]).tables)


def _codes_metadata(layout: str, model: SymbolModel, chunk_rows: int, samples: int) -> bytes:
    """The `zarr.json` that Zarr itself writes for the array of a layer."""
    memory = MemoryStore()
    if layout == PACKETS:
        own: dict[str, Any] = {"dtype": VariableLengthBytes(), "serializer": PacketCodec(), "fill_value": b""}
    else:
        own = {"dtype": "int32", "serializer": AnsCodec(model), "fill_value": 0}
    columns = () if layout == PACKETS else (model.columns,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        zarr.create_array(
            memory,
            shape=(samples, *columns),
            chunks=(chunk_rows, *columns),
            compressors=(Crc32cCodec(),),
            filters=(),
            dimension_names=("sample", "symbol")[: 1 + len(columns)],
            **own,
        )
    return ZarrBlobs(memory).get("zarr.json") or b""

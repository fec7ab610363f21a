"""Writing a store, chunk by chunk; a stop at any moment leaves the store of the last commit.

Order of a commit: chunks, records, manifest; when the store is complete, the arrays' metadata before that. Until the
manifest is put, readers see the old one, and what it names is still there: records that grow get a new name, and a
chunk that grows still begins with the old rows. A folder is committed to after each chunk. Elsewhere, where each file
is a request, chunks wait for a commit, but not for long. The complete store is the same, however often that was.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from numbers import Integral
from types import TracebackType
from typing import Any, Self

import numpy as np

from taskcodec.codec import Codec
from taskcodec.errors import MismatchError, StorageError, UsageError, check_kind
from taskcodec.layer import given_of, side_by_side
from taskcodec.store.backend import Blobs, FolderBlobs, open_blobs, writer_lock
from taskcodec.store.chunk_writer import ChunkWriter
from taskcodec.store.file_layers.layout import orphans
from taskcodec.store.format.arrays import coded_layer, codes_metadata, layout_of
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.layer_chunks import Rows, empty_rows, read_chunk, read_items
from taskcodec.store.format.manifest import (
    CODEC_KEY,
    GROUP_KEY,
    ONLY,
    Manifest,
    StoredLayer,
    checked_bytes,
    max_chunk_rows,
    read_manifest,
    sha256,
    shapeless,
    write_manifest,
)
from taskcodec.store.format.records import OK, SampleRecord, records_to_table
from taskcodec.store.format.segments import GROUP_CHUNKS
from taskcodec.store.tail import Tail

CHUNK_ROWS = 1024
"""Samples in a chunk: the unit of random access and of commit. Longer chunks save bytes (0.1 % from here on)."""
COMMIT_SECONDS = 30.0
"""Where a commit takes requests, chunks wait for one at most so long, and at most for GROUP_CHUNKS of them."""


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
        self._layers = [coded_layer(blobs, manifest, layer) for layer in codec.layers]
        self._tail, self._waiting, self._committed = Tail(blobs, manifest), 0, time.monotonic()
        self.before_commit: Callable[[], None] = lambda: None
        """Puts what has to be there before the records are that come next."""
        self.commit_seconds = 0.0 if isinstance(blobs, FolderBlobs) else COMMIT_SECONDS
        self._rows: list[Rows] = []
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
            codes = [codes_metadata(layout_of(layer), layer.model, chunk_rows, 0) for layer in codec.layers]
            manifest = Manifest(
                state="writing",
                fingerprint=codec.fingerprint,
                dimension=0 if codec.of_pictures else codec.dimension,
                columns=codec.columns,
                chunk_rows=chunk_rows,
                samples=0,
                codec_sha256=sha256(data),
                layers=tuple(
                    StoredLayer(layer.name, layer.columns, layout_of(layer), sha256(shapeless(each, layer.name)))
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

    def append(self, symbols: Rows, records: Sequence[SampleRecord]) -> None:
        """Add the records of the next source samples, and (m, k) symbols for those of them that are ok, in order.

        Of pictures these are (m, layers) items, as `PictureStack.items` gives them.
        """
        coded, like = sum(record.status == OK for record in records), empty_rows(self.manifest)
        if symbols.shape != (coded, like.shape[1]):
            raise MismatchError(f"{coded} coded records of {like.shape[1]} columns, symbols {symbols.shape}")
        self._rows.append(np.asarray(symbols, like.dtype))
        self._records.extend(records)
        self._pending_rows += coded
        while self._pending_rows >= self.manifest.chunk_rows:
            self._take_pending(self.manifest.chunk_rows, records_for(self._records, self.manifest.chunk_rows))
            self._commit_when_due()

    @property
    def blobs(self) -> Blobs:
        """The store's place, as this writer holds it."""
        return self._blobs

    @property
    def chunks(self) -> ChunkWriter:
        """Puts chunks for this writer, also in other processes; `append_written` commits them."""
        layout = replace(self.manifest, segments=(), parts=(), source={})
        return ChunkWriter(self._blobs, self._codec, tuple(self._layers), layout)

    def take_pending(self) -> tuple[Rows, list[SampleRecord]]:
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
        self._take(coded, records, crcs)
        self._commit_when_due()

    def finish(self) -> Manifest:
        """Commit what is left and mark the store complete."""
        if self._records:
            self._take_pending(self._pending_rows, len(self._records))
        self._commit("complete")
        return self.manifest

    def commit(self) -> None:
        """Commit the chunks that wait for it: rows short of a whole chunk wait for `finish`."""
        if self._waiting:
            self._commit("writing")

    def close(self) -> None:
        """Commit whole chunks and release the store; other rows are dropped unless `finish` was called."""
        with self._locks:
            self.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StorageError):  # what failed will fail again, and would hide why
            self._locks.close()
        else:
            self.close()

    def _pending_symbols(self) -> Rows:
        return np.concatenate(self._rows) if self._rows else empty_rows(self.manifest)

    def _take_pending(self, rows: int, cut: int) -> None:
        """Put the next chunk, of so many rows, and let its records, as many as `cut`, wait for a commit."""
        symbols, index = self._pending_symbols(), self.manifest.samples // self.manifest.chunk_rows
        crcs = self.chunks.put(index, symbols[:rows]) if rows else (0,) * len(self._layers)
        self._take(rows, self._records[:cut], crcs)
        self._rows, self._records = [symbols[rows:]], self._records[cut:]
        self._pending_rows -= rows

    def _take(self, rows: int, records: Sequence[SampleRecord], crcs: tuple[int, ...]) -> None:
        self._tail.add(Entry(rows, len(records) - rows, crcs), records_to_table(records))
        self.manifest = replace(self.manifest, samples=self.manifest.samples + rows)
        self._waiting += 1

    def _commit_when_due(self) -> None:
        waited = time.monotonic() - self._committed
        if waited >= self.commit_seconds or self._tail.entries % GROUP_CHUNKS == 0:
            self._commit("writing")

    def _commit(self, state: str) -> None:
        complete, self._waiting = state == "complete", 0  # what fails in between is not tried again, by `close`
        self.before_commit()
        superseded = self._tail.commit(seal=complete and self.manifest.chunks > 1)
        segments = tuple(self._tail.segments)
        self.manifest = replace(self.manifest, segments=segments, parts=self._tail.parts, state=state)
        if complete:
            for layer in self._layers:
                rows, samples = self.manifest.chunk_rows, self.manifest.samples
                codes = codes_metadata(layer.stored.layout, layer.model, rows, samples)
                self._blobs.put(self.manifest.codes_key(layer.stored), codes)
            superseded = orphans(self._blobs.sizes(), self.manifest)
            if superseded:  # only then may they go: a store that calls itself complete has nothing beside it
                write_manifest(self._blobs, replace(self.manifest, state="writing"))
                self._remove(superseded)
        write_manifest(self._blobs, self.manifest)
        if not complete:
            self._remove(superseded)
        self._committed = time.monotonic()

    def _remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._blobs.delete(key)

    def _read_chunks(self, index: int, counted: Entry) -> Rows:
        if self.manifest.of_pictures:
            found = np.empty((counted.rows, len(self._layers)), object)
            for place, layer in enumerate(self._layers):
                found[:, place] = read_items(self._blobs, self.manifest, index, layer.stored, counted)
            return found
        parts = dict[str, Rows]()
        for own, layer in zip(self._codec.layers, self._layers, strict=True):
            parts[own.name] = read_chunk(self._blobs, self.manifest, index, layer, counted, given_of(own, parts))
        return side_by_side(parts)

    def _reopen_last_chunk(self) -> None:
        """Take a last chunk that is not full back into memory: it will be written again, longer."""
        manifest = self.manifest
        self.resume_point = self._tail.last_source_index()
        while (last := self._tail.last) is not None and last.rows < manifest.chunk_rows:
            self._records = [SampleRecord(**row) for row in self._tail.pop().to_pylist()] + self._records
            if last.rows:
                self._rows = [self._read_chunks(manifest.chunks - 1, last)]
                self._pending_rows = last.rows
        self.manifest = replace(manifest, samples=manifest.samples - self._pending_rows)


def records_for(records: Sequence[SampleRecord], rows: int) -> int:
    """How many of the records go with so many rows: up to that of the last one, or all."""
    seen = 0
    for position, record in enumerate(records):
        seen += record.status == OK
        if seen == rows:
            return position + 1
    return len(records)

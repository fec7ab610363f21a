"""What a store knows of its chunks and samples: counts of each chunk, sample records, and where an id is.

Reads no more than is asked for: the index of a segment where one of its chunks is, the columns that are wanted.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from threading import Lock

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.manifest import RECORDS, SEGMENT_CHUNKS, Manifest, Part, checked_bytes
from taskcodec.store.format.records import SCHEMA, coded, parquet_to_table
from taskcodec.store.format.segments import Index, Piece, check_segment, read_index

CACHED_INDEXES = 256
WORTH_PIECES = 4
"""Columns are read alone where the whole file is so many times longer than they are."""


class Catalogue:
    """The counts and records of a store.

    Args:
        blobs: where it lies.
        manifest: the store's.
    """

    def __init__(self, blobs: Blobs, manifest: Manifest) -> None:
        self._blobs, self._manifest = blobs, manifest
        self._indexes: OrderedDict[int, Index] = OrderedDict()
        self._lock = Lock()
        self._tail = [entry for part in manifest.parts for entry in part.entries if entry.rows]

    def counted(self, chunk: int) -> Entry:
        """What is counted of a chunk. Raises CorruptFileError."""
        number, segments = chunk // SEGMENT_CHUNKS, len(self._manifest.segments)
        if number < segments:
            return self.index(number).entry(chunk % SEGMENT_CHUNKS)
        return self._tail[chunk - segments * SEGMENT_CHUNKS]

    def index(self, number: int) -> Index:
        """The index of a segment; the last few are kept. Raises CorruptFileError."""
        with self._lock:
            if number in self._indexes:
                self._indexes.move_to_end(number)
                return self._indexes[number]
        found = read_index(self._blobs, self._manifest, number)
        with self._lock:
            self._indexes[number] = found
            while len(self._indexes) > CACHED_INDEXES:
                self._indexes.popitem(last=False)
        return found

    def hold_last(self) -> None:
        """Read the index of a last segment that an append would replace: what was opened is read after that, too."""
        if self._manifest.segments and self._manifest.segments[-1].entries < SEGMENT_CHUNKS:
            self.index(len(self._manifest.segments) - 1)

    def tables(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        """All records in order, a table for each file of them, with all columns or some. Raises CorruptFileError."""
        for number in range(len(self._manifest.segments)):
            yield self.of_segment(number, columns)
        for part in self._manifest.parts:
            yield self.of_part(part, columns)

    def source_bytes(self) -> int:
        """Of the source files of all samples, together."""
        sealed = sum(self.index(number).source_bytes for number in range(len(self._manifest.segments)))
        tables = [self.of_part(part, ["source_bytes", "status"]) for part in self._manifest.parts]
        return sealed + sum(pc.sum(table["source_bytes"].filter(coded(table))).as_py() or 0 for table in tables)

    def of_segment(
        self, number: int, columns: Collection[str] | None = None, groups: Sequence[int] | None = None
    ) -> pa.Table:
        """The records of a segment, or of some of its row groups, with all columns or some."""
        segment, index = self._manifest.segments[number], self.index(number)
        key = segment.key(number, RECORDS)
        place = f"{self._blobs.name}/{key}"
        wanted = range(index.groups) if groups is None else groups
        own = [index.columns[name] for name in columns or SCHEMA.names if name in index.columns]
        pieces = [column[group] for column in own for group in wanted]
        if WORTH_PIECES * (sum(length for _, length, _ in pieces) + index.footer[1]) < index.records_bytes:
            data = self._read_pieces(key, index, pieces)
        else:
            data = checked_bytes(self._blobs, key, index.records_sha256)
        rows, failures = index.counted(wanted)
        return _of_length(parquet_to_table(data, place, columns, groups), rows, failures, place)

    def _read_pieces(self, key: str, index: Index, pieces: Sequence[Piece]) -> pa.Buffer:
        """A file of which only some pieces, and its footer, are read; what lies between them is never looked at."""
        found = np.empty(0, np.uint8)
        for start, length, crc in (index.footer, *pieces):
            data = self._blobs.get_range(key, start, length)
            if data is None:
                raise CorruptFileError(f"{self._blobs.name}/{key}: missing")
            if len(data) != length or google_crc32c.value(data) != crc:
                raise CorruptFileError(f"{self._blobs.name}/{key}: damaged (CRC-32C of {length} bytes from {start} on)")
            if not len(found):  # the footer is where the file ends: so long it is
                found = np.zeros(index.records_bytes, np.uint8)
            found[start : start + length] = np.frombuffer(data, np.uint8)
        return pa.py_buffer(found)

    def check(self, number: int) -> None:
        """Raise CorruptFileError where a segment is not sound."""
        check_segment(self._blobs, self._manifest, number)

    def of_part(self, part: Part, columns: Collection[str] | None = None) -> pa.Table:
        """The records of a part."""
        place = f"{self._blobs.name}/{part.file}"
        table = parquet_to_table(checked_bytes(self._blobs, part.file, part.sha256), place, columns)
        rows, failures = (sum(counts) for counts in zip(*((e.rows, e.failures) for e in part.entries), strict=True))
        return _of_length(table, rows, failures, place)


def _of_length(table: pa.Table, rows: int, failures: int, place: str) -> pa.Table:
    found = rows if "status" not in table.column_names else int(pc.sum(coded(table)).as_py() or 0)
    if (found, len(table) - found) != (rows, failures):
        raise CorruptFileError(f"{place}: {rows} samples and {failures} failures expected")
    return table

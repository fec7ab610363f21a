"""What a store knows of its chunks and samples: counts of each chunk, sample records, and where an id is.

Reads no more than is asked for: the index of a segment where one of its chunks is, the columns that are wanted.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.manifest import SEGMENT_CHUNKS, Manifest, Part, checked_bytes
from taskcodec.store.format.records import coded, parquet_to_table
from taskcodec.store.format.segments import Index, read_index, records_key

CACHED_INDEXES = 256


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

    def of_segment(self, number: int, columns: Collection[str] | None = None) -> pa.Table:
        """The records of a segment."""
        segment, index = self._manifest.segments[number], self.index(number)
        key = records_key(segment, number)
        data, place = checked_bytes(self._blobs, key, index.records_sha256), f"{self._blobs.name}/{key}"
        return _of_length(parquet_to_table(data, place, columns), segment.rows, segment.failures, place)

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

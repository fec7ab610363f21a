"""Segments: the records of up to 1,024 chunks in one Parquet file, and their index, one small file.

The Parquet file has a row group for each 128 chunks. The index, canonical JSON, holds what is counted of each chunk,
and where the columns of each row group lie and their CRC-32C, so that any of them can be read, and checked, alone. It
has the first id of each group, too, or where the ids are in no order a third file has their hashes, in buckets.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.buckets import MAX_CAPACITY, Buckets, write_buckets
from taskcodec.store.format.entries import Entry, entries_from_bytes, entries_to_bytes, entry_at
from taskcodec.store.format.ids import key_of, order_of
from taskcodec.store.format.manifest import (
    BUCKETS,
    INDEX,
    MAX_ROWS,
    RECORDS,
    Manifest,
    Segment,
    canonical,
    checked_bytes,
    sha256,
)
from taskcodec.store.format.records import SCHEMA, coded, parquet_to_table, tables_to_parquet

FORMAT = "taskcodec.segment"
VERSION = 1
GROUP_CHUNKS = 128
"""Chunks whose records are a row group: few enough to read one for a single id, so many that columns are few pieces."""

MAX_FOOTER = 2**26
"""Bytes of the metadata of a Parquet file of records, at most."""
Piece = tuple[int, int, int]
"""Where bytes lie in a file and how many they are, and their CRC-32C."""


@dataclass(frozen=True, eq=False)
class Index:
    """The index of a segment.

    Attributes:
        entries: (n,) of `entry_dtype`: what is counted of each chunk.
        records_bytes: the length of the Parquet file.
        records_sha256: of that.
        source_bytes: of the source files of its samples, together.
        footer: the Parquet file's, from its metadata to its end.
        columns: by name the pieces of a column, one for each row group.
        firsts: the key of the first id of each row group, where the ids are in order; else None.
        buckets: of the ids, where they are in no order; else None.
    """

    entries: npt.NDArray[Any]
    records_bytes: int
    records_sha256: str
    source_bytes: int
    footer: Piece
    columns: dict[str, tuple[Piece, ...]]
    firsts: tuple[str, ...] | None
    buckets: Buckets | None

    def entry(self, place: int) -> Entry:
        """What is counted of one of its chunks."""
        return entry_at(self.entries, place)

    def counted(self, groups: Sequence[int]) -> tuple[int, int]:
        """Samples and failures of some row groups."""
        chunks = np.isin(np.arange(len(self.entries)) // GROUP_CHUNKS, groups)
        return int(self.entries["rows"][chunks].astype(np.int64).sum()), int(self.entries["failures"][chunks].sum())

    @property
    def groups(self) -> int:
        """How many row groups there are."""
        return -(-len(self.entries) // GROUP_CHUNKS)


@dataclass(frozen=True)
class _Described:
    """What follows from the records of a segment alone."""

    ids: tuple[str, str, str] | None
    firsts: tuple[str, ...] | None
    buckets: Buckets | None
    hashed: bytes
    source_bytes: int


def _describe(tables: Sequence[pa.Table]) -> _Described:
    """Of the records of each row group."""
    sizes = [pc.sum(table["source_bytes"].filter(coded(table))).as_py() or 0 for table in tables]
    order = order_of(pa.chunked_array([chunk for table in tables for chunk in table["id"].chunks]))
    if order is None:
        hashed, count, capacity = write_buckets(table["id"].to_pylist() for table in tables)
        return _Described(None, None, Buckets(count, capacity, sha256(hashed)), hashed, sum(sizes))
    firsts = tuple(key_of(order, table["id"][0].as_py()) for table in tables)
    last = key_of(order, tables[-1]["id"][-1].as_py())
    return _Described((order, firsts[0], last), firsts, None, b"", sum(sizes))


def write_segment(
    blobs: Blobs, number: int, entries: Sequence[Entry], tables: Sequence[pa.Table], layers: int
) -> Segment:
    """Put the files of a segment: its entries, and a table of records for each GROUP_CHUNKS of them."""
    data, found = tables_to_parquet(tables, checksums=True), _describe(tables)
    footer, columns = _pieces(data)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "entries": base64.b64encode(entries_to_bytes(entries, layers)).decode(),
        "records_bytes": len(data),
        "records_sha256": sha256(data),
        "source_bytes": found.source_bytes,
        "footer": footer,
        "columns": columns,
        "firsts": found.firsts,
        "buckets": None if found.buckets is None else asdict(found.buckets),
    }
    index = canonical(content)
    segment = Segment(
        entries=len(entries),
        rows=sum(entry.rows for entry in entries),
        failures=sum(entry.failures for entry in entries),
        sha256=sha256(index),
        ids=found.ids,
    )
    blobs.put(segment.key(number, RECORDS), data)
    blobs.put(segment.key(number, INDEX), index)
    if found.buckets is not None:
        blobs.put(segment.key(number, BUCKETS), found.hashed)
    return segment


def check_segment(blobs: Blobs, manifest: Manifest, number: int) -> None:
    """Read all of a segment, and compare its index with its records. Raises CorruptFileError."""
    segment, index = manifest.segments[number], read_index(blobs, manifest, number)
    key = segment.key(number, RECORDS)
    data = checked_bytes(blobs, key, index.records_sha256)
    if index.buckets is not None:
        checked_bytes(blobs, segment.key(number, BUCKETS), index.buckets.sha256)
    tables, place = [], f"{blobs.name}/{key}"
    for group in range(index.groups):
        tables.append(parquet_to_table(data, place, None, [group]))
        rows = int(pc.sum(coded(tables[-1])).as_py() or 0)
        if (rows, len(tables[-1]) - rows) != index.counted([group]):
            raise CorruptFileError(f"{place}: other samples than its index counts")
    found, (footer, columns) = _describe(tables), _pieces(data)
    same = (found.ids, found.firsts, found.buckets, found.source_bytes, footer, columns)
    listed = {name: list(pieces) for name, pieces in index.columns.items()}
    if same != (segment.ids, index.firsts, index.buckets, index.source_bytes, index.footer, listed):
        raise CorruptFileError(f"{blobs.name}/{segment.key(number, INDEX)}: does not say what is in {key}")


def read_index(blobs: Blobs, manifest: Manifest, number: int) -> Index:
    """The index of a segment. Raises CorruptFileError where it is missing, damaged or not the manifest's."""
    segment = manifest.segments[number]
    key = segment.key(number, INDEX)
    place, data = f"{blobs.name}/{key}", checked_bytes(blobs, key, segment.sha256)
    try:
        content = json.loads(data)
        if content["format"] == FORMAT and type(content["version"]) is int and content["version"] > VERSION:
            raise FutureVersionError(f"{place}: a newer version, this taskcodec reads {VERSION}: upgrade it")
        firsts = content["firsts"]
        index = Index(
            entries=entries_from_bytes(base64.b64decode(content["entries"], validate=True), len(manifest.layers)),
            records_bytes=content["records_bytes"],
            records_sha256=content["records_sha256"],
            source_bytes=content["source_bytes"],
            footer=_piece(content["footer"]),
            columns={name: tuple(map(_piece, pieces)) for name, pieces in content["columns"].items()},
            firsts=None if firsts is None else tuple(firsts),
            buckets=None if content["buckets"] is None else Buckets(**content["buckets"]),
        )
        if content["format"] != FORMAT or content["version"] != VERSION:
            raise ValueError("format")
        _check(index, segment, manifest.chunk_rows)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{place}: not an index of this store ({type(error).__name__}: {error})") from error
    return index


def _check(index: Index, segment: Segment, chunk_rows: int) -> None:
    """Raise ValueError where an index is not what the manifest counts, or lies outside its file."""
    rows = index.entries["rows"].astype(np.int64)
    counted = (len(rows), int(rows.sum()), int(index.entries["failures"].sum()))
    full = -(-segment.rows // chunk_rows)
    if counted != (segment.entries, segment.rows, segment.failures) or (rows[: max(full - 1, 0)] != chunk_rows).any():
        raise ValueError("other counts than the manifest's")
    counts = [index.records_bytes, index.source_bytes, *index.footer]
    if index.buckets is not None:
        counts += [index.buckets.buckets, index.buckets.capacity]
    counts += [number for pieces in index.columns.values() for piece in pieces for number in piece]
    if not all(type(count) is int and 0 <= count < MAX_ROWS for count in counts) or index.footer[0] < 4:
        raise ValueError("invalid numbers")
    pieces = [index.footer, *(piece for pieces in index.columns.values() for piece in pieces)]
    if any(start + length > index.records_bytes for start, length, _ in pieces):
        raise ValueError("pieces beyond the end")
    if sum(index.footer[:2]) != index.records_bytes or index.footer[1] > MAX_FOOTER:
        raise ValueError("an invalid footer")
    if index.buckets is not None and not (index.buckets.buckets and 0 < index.buckets.capacity <= MAX_CAPACITY):
        raise ValueError("invalid buckets")
    lengths = {len(pieces) for pieces in index.columns.values()} | {len(index.firsts or ()) or index.groups}
    if lengths != {index.groups} or not set(SCHEMA.names) - {"note"} <= set(index.columns) <= set(SCHEMA.names):
        raise ValueError("invalid columns")
    ordered = segment.ids is not None
    if (index.firsts is not None, index.buckets is None) != (ordered, ordered) or not all(
        isinstance(name, str) for name in index.firsts or ()
    ):
        raise ValueError("invalid ids")
    digests = [index.records_sha256, "" if index.buckets is None else index.buckets.sha256]
    if not all(isinstance(digest, str) for digest in digests):
        raise ValueError("an invalid digest")


def _piece(found: Any) -> Piece:
    start, length, crc = found
    return start, length, crc


def _pieces(data: bytes) -> tuple[Piece, dict[str, list[Piece]]]:
    """Where in a Parquet file its footer lies, and the columns of each row group."""
    with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
        metadata, columns = file.metadata, dict[str, list[Piece]]()
        for group in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                found = metadata.row_group(group).column(place)
                begin = found.data_page_offset
                if found.has_dictionary_page:
                    begin = min(begin, found.dictionary_page_offset)
                piece = _measured(data, begin, found.total_compressed_size)
                columns.setdefault(found.path_in_schema, []).append(piece)
    length = int.from_bytes(data[-8:-4], "little") + 8
    return _measured(data, len(data) - length, length), columns


def _measured(data: bytes, start: int, length: int) -> Piece:
    return start, length, int(google_crc32c.value(data[start : start + length]))

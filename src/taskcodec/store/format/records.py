"""Sample records: one row for every source sample, coded or not, in Parquet."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.errors import CorruptFileError
from taskcodec.names import readable

OK = "ok"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_index", pa.int64()),
        ("source_bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("label", pa.string()),
        ("status", pa.string()),
        ("note", pa.string()),
    ]
)
"""Of a table of records. The files of a store have the column `note` only where a record has one."""

ENCODINGS = {
    "id": "DELTA_BYTE_ARRAY",
    "source_index": "DELTA_BINARY_PACKED",
    "source_bytes": "DELTA_BINARY_PACKED",
}
"""How columns are laid out whose values differ from row to row: names as what they add to the name before, numbers as
differences. A thousand names of files then take 15 bytes a row with all else, where Arrow's own layout takes 23."""
PIECE_ROWS = 2**16
LEVEL = 19
"""Of zstd: 3 ms a thousand rows."""


@dataclass(frozen=True)
class SampleRecord:
    """What is known of one source sample.

    Attributes:
        id: its name, unique in the store: a name that is in use already gets "#2", "#3", ... from `encode_job`.
        source_index: its place in the source's order; sources that are appended continue the count.
        source_bytes: the size of its file.
        width, height: of the image in pixels, None for features.
        label: its class as text, or None.
        status: "ok", or why it could not be coded.
        note: what its reader should know of a sample that was coded all the same, or None.
    """

    id: str
    source_index: int
    source_bytes: int
    width: int | None = None
    height: int | None = None
    label: str | None = None
    status: str = OK
    note: str | None = None


def records_to_table(records: Sequence[SampleRecord]) -> pa.Table:
    """Records -> a table with SCHEMA."""
    columns = {name: [getattr(record, name) for record in records] for name in SCHEMA.names}
    for name in ("id", "label", "status", "note"):
        columns[name] = [text and readable(text) for text in columns[name]]
    return pa.table(columns, schema=SCHEMA)


def tables_to_parquet(tables: Sequence[pa.Table], level: int = LEVEL, checksums: bool = False) -> bytes:
    """Tables with SCHEMA -> the bytes of a Parquet file with a row group for each, perhaps with checksums of pages."""
    if all(table["note"].null_count == len(table) for table in tables):  # as they were before there were any
        tables = [table.drop_columns("note") for table in tables]
    sink, schema = pa.BufferOutputStream(), tables[0].schema
    with pq.ParquetWriter(
        sink,
        schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=[name for name in schema.names if name not in ENCODINGS],
        column_encoding=ENCODINGS,
        write_statistics=["label"],
        store_schema=False,
        write_page_checksum=checksums,
    ) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks(), row_group_size=max(len(table), 1))  # pages follow chunks
    return bytes(sink.getvalue())


def in_pieces(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at most PIECE_ROWS, few enough to be made objects of Python."""
    for table in tables:
        for start in range(0, len(table), PIECE_ROWS):
            yield table.slice(start, PIECE_ROWS)


def coded(table: pa.Table) -> pa.ChunkedArray:
    """Which rows of a table of records were coded."""
    # LIKE without wildcards: to compare with a text of Python, Arrow imports pandas, which takes longer than all else.
    return pc.match_like(table["status"], OK)


def parquet_to_table(
    data: Any, name: str, columns: Collection[str] | None = None, groups: Sequence[int] | None = None
) -> pa.Table:
    """The bytes of a file of records -> a table with SCHEMA, or some of its columns, or of the file's row groups.

    Raises CorruptFileError.

    Read in this thread, from Arrow's own buffer. Where `pq.read_table` is given a Python file, a thread of Arrow's may
    let go of it only after the call: an interpreter that ends just then aborts (apache/arrow issues 34314, 33975).
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
            own = [column for column in file.schema_arrow.names if columns is None or column in columns]
            table = file.read(own, use_threads=False) if groups is None else file.read_row_groups(groups, own, False)
        if "note" not in table.column_names and (columns is None or "note" in columns):
            table = table.append_column("note", pa.nulls(len(table), pa.string()))
        wanted = SCHEMA.names if columns is None else [column for column in SCHEMA.names if column in columns]
        return table.select(wanted).cast(pa.schema([SCHEMA.field(column) for column in wanted]))
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptFileError(f"{name}: not a part of a taskcodec store ({type(error).__name__})") from error

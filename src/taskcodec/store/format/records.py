"""Sample records: one row for every source sample, coded or not, in Parquet."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def records_to_parquet(records: Sequence[SampleRecord]) -> bytes:
    """Records -> the bytes of a Parquet file."""
    columns = {name: [getattr(record, name) for record in records] for name in SCHEMA.names}
    sink = pa.BufferOutputStream()
    for name in ("id", "label", "status", "note"):
        columns[name] = [text and readable(text) for text in columns[name]]
    table = pa.table(columns, schema=SCHEMA)
    if table["note"].null_count == len(table):  # stores without notes are as they were before there were any
        table = table.drop_columns("note")
    dictionaries = [name for name in table.column_names if name not in ENCODINGS]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=dictionaries,
        column_encoding=ENCODINGS,
        write_statistics=["label"],
        store_schema=False,
    )
    return bytes(sink.getvalue())


def coded(table: pa.Table) -> pa.ChunkedArray:
    """Which rows of a table of records were coded."""
    # LIKE without wildcards: to compare with a text of Python, Arrow imports pandas, which takes longer than all else.
    return pc.match_like(table["status"], OK)


def parquet_to_table(data: bytes, name: str) -> pa.Table:
    """The bytes of a part -> table with SCHEMA. Raises CorruptFileError.

    Read in this thread, from Arrow's own buffer. Where `pq.read_table` is given a Python file, a thread of Arrow's may
    let go of it only after the call: an interpreter that ends just then aborts (apache/arrow issues 34314, 33975).
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
            table = file.read(use_threads=False)
        if "note" not in table.column_names:
            table = table.append_column("note", pa.nulls(len(table), pa.string()))
        return table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptFileError(f"{name}: not a part of a taskcodec store ({type(error).__name__})") from error

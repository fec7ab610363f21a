"""Sample records: one row for every source sample, coded or not, in Parquet."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from taskcodec.errors import CorruptFileError

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
    ]
)


@dataclass(frozen=True)
class SampleRecord:
    """What is known of one source sample.

    Attributes:
        id: its name, unique in the store: a name that is in use already gets "#2", "#3", ... from `encode_source`.
        source_index: its place in the source's order; sources that are appended continue the count.
        source_bytes: the size of its file.
        width, height: of the image in pixels, None for features.
        label: its class as text, or None.
        status: "ok", or why it could not be coded.
    """

    id: str
    source_index: int
    source_bytes: int
    width: int | None = None
    height: int | None = None
    label: str | None = None
    status: str = OK


def records_to_parquet(records: Sequence[SampleRecord]) -> bytes:
    """Records -> the bytes of a Parquet file."""
    columns = {name: [getattr(record, name) for record in records] for name in SCHEMA.names}
    sink = pa.BufferOutputStream()
    for name in ("id", "label"):
        columns[name] = [text and readable(text) for text in columns[name]]
    pq.write_table(pa.table(columns, schema=SCHEMA), sink, compression="zstd")
    return bytes(sink.getvalue())


def readable(text: str) -> str:
    """Names may hold bytes that are no UTF-8 (they come from file systems): these as escapes, so that none fails."""
    return text.encode("utf-8", "backslashreplace").decode()


def parquet_to_table(data: bytes, name: str) -> pa.Table:
    """The bytes of a part -> table with SCHEMA. Raises CorruptFileError.

    Read in this thread, from Arrow's own buffer. Where `pq.read_table` is given a Python file, a thread of Arrow's may
    let go of it only after the call: an interpreter that ends just then aborts (apache/arrow issues 34314, 33975).
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data), pre_buffer=False) as file:
            table = file.read(use_threads=False)
        return table.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptFileError(f"{name}: not a part of a taskcodec store ({type(error).__name__})") from error

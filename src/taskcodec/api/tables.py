"""Tables from Python: `taskcodec fit --lossless`, `encode` and `decode` of files with rows and columns."""

from pathlib import Path
from typing import Any

from taskcodec.api.fit import Fitted
from taskcodec.atomic import replacing
from taskcodec.codec import Codec
from taskcodec.data.tabular.files import kind_of, read_table, write_table
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.outputs import check_output
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.tables.table import fit_table
from taskcodec.loading import load_codec
from taskcodec.store import SampleRecord, Store, StoreWriter
from taskcodec.transforms.values.tables.rows import TableRows

CHUNK_ROWS = 1 << 16
"""Rows of a chunk: a model learns along in each, so long ones take less, and a row is read with its chunk."""


def is_table_codec(codec: Codec) -> bool:
    """Whether a codec gives back rows of a table."""
    return codec.lossless and isinstance(codec.values.transform, TableRows)


def fit_table_file(source: str | Path, progress: Progress | None = None) -> Fitted:
    """Fit a lossless codec to a .csv, .parquet or .npy file; `progress` is called with columns done, and in all.

    Raises SourceError where it cannot be read, MismatchError on types that a codec cannot have.
    """
    return Fitted(fit_table(read_table(Path(source)), progress), ())


def encode_table(source: str | Path, place: Any, codec: Codec | str | Path, chunk_rows: int = CHUNK_ROWS) -> Store:
    """Encode a table into a new store, whose `values` are its rows.

    Raises SourceError where it cannot be read, MismatchError where it is not of the codec's columns and types,
    StorageError where something lies at the place.
    """
    found = codec if isinstance(codec, Codec) else load_codec(str(codec))
    transform = found.values.transform
    if not isinstance(transform, TableRows):
        raise MismatchError(f"{source}: rows of a table, where the codec takes {transform.words}")
    table = read_table(Path(source), transform.schema)
    symbols = found.values.encode(table)
    size = Path(source).stat().st_size
    with StoreWriter.create(place, found, chunk_rows=chunk_rows, source={"table": str(source)}) as writer:
        for start in range(0, len(symbols), chunk_rows):
            stop = min(start + chunk_rows, len(symbols))
            shares = [(row + 1) * size // len(symbols) - row * size // len(symbols) for row in range(start, stop)]
            records = [SampleRecord(str(row), row, share) for row, share in enumerate(shares, start)]
            writer.append(symbols[start:stop], records)
        writer.finish()
    return Store(place)


def rows_to_file(store: Store, place: str, output: Path) -> None:
    """Write the rows of a finished store of a table, which lies at this place, to a .parquet, .csv or .npy file.

    Raises UsageError or StorageError where the file is not to be written.
    """
    kind = kind_of(output)
    if kind is None or output.name.lower().endswith(".gz"):
        raise UsageError(f"{output}: rows of a table are written to a .parquet, .csv or .npy file")
    check_output(place, output, kind)
    with replacing(output) as temporary:
        write_table(temporary, store.values[:], kind)

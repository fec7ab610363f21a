"""Files of tables, read and written with every value as it is: CSV, Parquet, and .npy of whole numbers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from taskcodec.data.parquet.columns import choose, opened
from taskcodec.errors import MismatchError, SourceError, UsageError

CSV, PARQUET, ARRAYS = (".csv", ".csv.gz"), (".parquet",), (".npy",)
KINDS = {"csv": CSV, "parquet": PARQUET, "npy": ARRAYS}
MISSING = ["", "#N/A", "#N/A N/A", "#NA", "N/A", "NA", "NULL", "n/a", "null"]
"""Fields of CSV that are missing values: those of pyarrow but for spellings of NaN, which is a number."""


def kind_of(path: Path) -> str | None:
    """The kind of table that a file is by its name, None where it is none."""
    name = path.name.lower()
    return next((kind for kind, suffixes in KINDS.items() if name.endswith(suffixes)), None)


def holds_pictures(path: Path) -> bool:
    """Whether a file is of Parquet, with pictures in it: no table of values."""
    if kind_of(path) != "parquet":
        return False
    try:
        return choose(str(path), opened(path).schema_arrow, None).kind == "pictures"
    except (SourceError, pa.ArrowInvalid, OSError):
        return False


def is_table(source: object) -> bool:
    """Whether a source is a file of rows and columns: by its name, and of Parquet as it holds no pictures."""
    if not isinstance(source, str | Path) or not (path := Path(source)).is_file():
        return False
    return kind_of(path) is not None and not holds_pictures(path)


def read_table(path: Path, schema: pa.Schema | None = None) -> pa.Table:
    """All rows of a file. Text of CSV is read as the types of `schema`, or as those that pyarrow finds.

    Of .npy (n,) and (n, columns) whole numbers become columns named "0", "1", ... Raises SourceError on what cannot be
    read.
    """
    kind = kind_of(path)
    try:
        if kind == "csv":
            types = None if schema is None else {field.name: field.type for field in schema}
            found = pc.read_csv(path, convert_options=pc.ConvertOptions(column_types=types, null_values=MISSING))
            _check_names(found.column_names, path)
            return found
        if kind == "parquet":
            _check_names(pq.read_schema(path).names, path)
            return pq.read_table(path)
        if kind == "npy":
            return _of_array(np.load(path, allow_pickle=False), path)
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError, OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path}: {' '.join(str(error).split())}") from error
    raise SourceError(f"{path}: no table; name a .csv, .csv.gz, .parquet or .npy file")


def write_table(path: Path, table: pa.Table, kind: str) -> None:
    """Write all rows to a file of a kind. Raises UsageError where they are not of it."""
    if kind == "parquet":
        pq.write_table(table, path, compression="zstd")
    elif kind == "csv":
        pc.write_csv(table, path)
    else:
        whole = {field.type for field in table.schema}
        if len(whole) > 1 or any(column.null_count for column in table.columns) or not pa.types.is_integer(whole.pop()):
            raise UsageError(f"{path}: columns of several types, or not of whole numbers: name a .parquet file")
        with open(path, "wb") as file:
            np.save(file, np.stack([column.to_numpy() for column in table.columns], axis=1))


def _check_names(names: Sequence[str], path: Path) -> None:
    """Raise SourceError where two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError(f"{path}: two columns are named {twice[0]!r}")


def _of_array(array: npt.NDArray[Any], path: Path) -> pa.Table:
    if array.ndim not in (1, 2) or array.dtype.kind not in "iu":
        what = "vectors of floats" if array.dtype.kind == "f" else "an array"
        raise MismatchError(f"{path}: {what}, {array.dtype} {array.shape}; lossless codecs take rows of whole numbers")
    columns = array[:, None] if array.ndim == 1 else array
    native = columns.dtype.newbyteorder("=")
    return pa.table({str(place): np.ascontiguousarray(column, native) for place, column in enumerate(columns.T)})

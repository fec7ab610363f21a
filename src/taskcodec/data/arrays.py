"""Arrays of features as sources: .npy files, and Parquet files with a column of vectors."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.data.labels import LabelTable
from taskcodec.errors import SourceError

Block = npt.NDArray[np.float32]
_FEATURE_COLUMNS = ("features", "embedding", "embeddings", "vector")
_KEPT_COLUMNS = ("id", "label")
_SHOWN = 6
"""Names in one message."""
_READ_ROWS = 1024
_DIGEST_PARTS, _DIGEST_BYTES = 256, 4096
"""What a file is known by: so many pieces of it, evenly spread, of so many bytes each."""
_BUFFER_BYTES = 2**20
"""A buffer makes Arrow read page by page, not a whole row group's column at once."""
_LEAST_BUFFER_BYTES = 2**12


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """Rows of an (n, d) array, read block by block.

    Attributes:
        name: of the file.
        rows, dimension: n and d.
        row_bytes: the size of a row where it lies.
        block: (start, stop) -> rows start to stop, float32; cheapest in rising order.
        file_bytes: the size of the file.
        ids: of the rows; None numbers them.
        labels: of the rows, where there are any.
        absent: row -> whether the file has no vector there, once `block` has read the row; None where all have one.
    """

    name: str
    rows: int
    dimension: int
    row_bytes: int
    block: Callable[[int, int], Block]
    file_bytes: int
    ids: Sequence[str | None] | None = None
    labels: Sequence[str | None] | None = None
    kind: str = "features"
    absent: Callable[[int], bool] | None = None

    def __len__(self) -> int:
        return self.rows

    def descriptor(self) -> dict[str, Any]:
        """What tells this source from another when an encode is resumed."""
        return {"kind": self.kind, "count": self.rows, "sha256": self._sha256}

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256(str((self.rows, self.dimension, self.file_bytes)).encode())
        try:
            with open(self.name, "rb") as file:
                for part in range(_DIGEST_PARTS):
                    file.seek(part * max(self.file_bytes - _DIGEST_BYTES, 0) // (_DIGEST_PARTS - 1))
                    digest.update(file.read(_DIGEST_BYTES))
        except OSError as error:
            raise SourceError(f"{self.name}: cannot be read ({error.strerror})") from error
        return digest.hexdigest()

    def with_labels(self, labels: dict[str, str]) -> "FeatureSource":
        """The same rows with labels from a table, looked up by id (by default the row number)."""
        find = labels.get if self.ids is None else LabelTable(labels).of
        return replace(self, labels=[find(self.id_of(row)) for row in range(self.rows)])

    def id_of(self, row: int, first: int = 0) -> str:
        """The id of a row; where it has none its number, counted from `first`."""
        found = None if self.ids is None else self.ids[row]
        return str(first + row) if found is None else found


def open_npy(path: Path) -> FeatureSource:
    """An (n, d) array of numbers in a .npy file, mapped into memory. Raises SourceError."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError, TypeError) as error:
        # Of a file that is no array numpy advises to unpickle it, which is no way to read features.
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        reason = "another kind of file, or damaged" if "pickle" in reason else reason
        raise SourceError(f"{path}: not a .npy file of features ({reason})") from error
    if not isinstance(array, np.memmap) or array.ndim != 2 or array.dtype.kind not in "fiu":
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise SourceError(f"{path}: expected an (n, d) array of numbers, found {found}")
    if 0 in array.shape:
        raise SourceError(f"{path}: an empty array of shape {array.shape}")
    layout: dict[str, Any] = {"dtype": array.dtype, "offset": array.offset, "shape": array.shape}
    layout["order"] = "C" if array.flags.c_contiguous else "F"
    rows, dimension = array.shape
    row_bytes = dimension * array.dtype.itemsize
    del array

    def block(start: int, stop: int) -> Block:
        try:
            # Mapped anew for each block, so that pages read before do not count as this process's memory.
            mapped = np.memmap(path, mode="r", **layout)
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: changed while it was read ({error})") from error
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and its row a recorded failure
            return np.asarray(mapped[start:stop], dtype=np.float32)

    return FeatureSource(str(path), rows, dimension, row_bytes, block, path.stat().st_size)


def open_parquet(path: Path) -> FeatureSource:
    """A column of vectors (named features or embedding, or the only one), or a column of floats for each feature.

    Columns id and label are kept. Raises SourceError.
    """
    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)
        columns = _feature_columns(path, file.schema_arrow)
        rows = file.metadata.num_rows
        dimension = len(columns) if len(columns) > 1 else _dimension(path, file, columns[0])
        known = [name for name in _KEPT_COLUMNS if name in file.schema_arrow.names]
        texts = {name: _texts(path, name, file.read(columns=[name], use_threads=False)[name]) for name in known}
        groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: not a Parquet file that can be read ({type(error).__name__})") from error
    block = _ParquetBlocks(path, columns, dimension, groups)
    size, ids, labels = path.stat().st_size, texts.get("id"), texts.get("label")
    lacks = block.absent.__contains__
    return FeatureSource(str(path), rows, dimension, 4 * dimension, block, size, ids, labels, absent=lacks)


def _feature_columns(path: Path, schema: pa.Schema) -> list[str]:
    """The one column of vectors, or at least two columns of floats where there are no others."""
    names = [field.name for field in schema if _is_vector(field.type)]
    named = [name for name in _FEATURE_COLUMNS if name in names]
    if named or len(names) == 1:
        return (named or names)[:1]
    index = (schema.pandas_metadata or {}).get("index_columns", [])  # pandas keeps a table's index as columns
    others = [field for field in schema if field.name not in (*_KEPT_COLUMNS, *map(str, index))]
    odd = [field.name for field in others if not pa.types.is_floating(field.type)]
    if len(others) > 1 and not odd:
        return [field.name for field in others]
    shown = odd if 2 * len(odd) < len(others) else schema.names
    found, more = ", ".join(shown[:_SHOWN]) or "none", len(shown) - _SHOWN
    raise SourceError(
        f"{path}: expected one column of lists of numbers, or a column of floats for each feature and no others, "
        f"found {'besides ' if shown is odd else ''}{found}{f' and {more:,} more' if more > 0 else ''}"
    )


def _is_vector(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)
    return bool(lists) and bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _dimension(path: Path, file: pq.ParquetFile, column: str) -> int:
    for batch in file.iter_batches(_READ_ROWS, columns=[column], use_threads=False):
        found = pc.max(pc.list_value_length(batch.column(0))).as_py()
        if found:
            return int(found)
    raise SourceError(f"{path}: no feature vectors in column {column}")


def _texts(path: Path, name: str, column: pa.ChunkedArray) -> "_Texts":
    try:
        return _Texts(column)
    except pa.ArrowException as error:
        raise SourceError(f"{path}: expected text or numbers in column {name}, found {column.type}") from error


class _Texts(Sequence[str | None]):
    """A column as text, kept as Arrow keeps it."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        if pa.types.is_floating(column.type):  # how pandas writes a number that is not there
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        self._column = column.cast(pa.large_string()).combine_chunks()

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        return self._column[row].as_py()


class _ParquetBlocks:
    """Rows of a column of vectors, streamed: memory holds a few pages, however large the row groups are.

    Or of a column for each feature; then a value that is missing is NaN, so that its row is recorded as a failure.
    """

    def __init__(self, path: Path, columns: list[str], dimension: int, groups: Sequence[int]) -> None:
        self.path, self.columns, self.dimension = path, columns, dimension
        self.buffer_bytes = max(_BUFFER_BYTES // len(columns), _LEAST_BUFFER_BYTES)  # each column has its own
        self.starts = np.concatenate([[0], np.cumsum(groups)])
        self.batches: Any = None
        self.kept, self.first = np.empty((0, dimension), np.float32), 0
        self.absent = set[int]()

    def __call__(self, start: int, stop: int) -> Block:
        try:
            return self._read(start, stop)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{self.path}: damaged Parquet file ({type(error).__name__})") from error

    def _read(self, start: int, stop: int) -> Block:
        group = int(np.searchsorted(self.starts, start, "right")) - 1
        if self.batches is None or start < self.first or self.starts[group] > self.first + len(self.kept):
            file = pq.ParquetFile(self.path, buffer_size=self.buffer_bytes)
            later = range(group, file.num_row_groups)
            self.batches = file.iter_batches(_READ_ROWS, row_groups=later, columns=self.columns, use_threads=False)
            self.kept, self.first = self.kept[:0], int(self.starts[group])
        while self.first + len(self.kept) < stop:
            batch = next(self.batches, None)
            if batch is None:
                raise SourceError(f"{self.path}: ends after {self.first + len(self.kept)} rows")
            passed = min(max(start - self.first, 0), len(self.kept))
            if len(self.columns) > 1:
                found = np.stack([_floats(column) for column in batch.columns], axis=1)
            else:
                missing = np.flatnonzero(~np.asarray(batch.column(0).is_valid()))
                self.absent.update((self.first + len(self.kept) + missing).tolist())
                found = self._vectors(batch.column(0))
            self.kept = np.concatenate([self.kept[passed:], found])
            self.first += passed
        return self.kept[start - self.first : stop - self.first].copy()

    def _vectors(self, column: pa.Array) -> Block:
        """(m, d); a missing vector is a row of NaN, so that it is recorded as a failure."""
        lengths = pc.list_value_length(column)
        if pc.any(pc.not_equal(lengths, self.dimension)).as_py():
            raise SourceError(f"{self.path}: vectors of different lengths, some not of {self.dimension} numbers")
        found = np.full((len(column), self.dimension), np.nan, np.float32)
        there = np.asarray(column.is_valid())
        found[there] = _floats(column.flatten()).reshape(-1, self.dimension)
        return found


def _floats(column: pa.Array) -> Block:
    with np.errstate(over="ignore"):  # infinity, and its row a recorded failure
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)

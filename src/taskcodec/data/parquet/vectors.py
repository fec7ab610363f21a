"""Vectors in Parquet files: a column of lists, or a column of floats for each feature; read block by block."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.data.arrays import Block, FeatureSource
from taskcodec.data.parquet.columns import choose, id_column, label_column, opened, telling_faults, texts
from taskcodec.data.remote.files import File, size_of
from taskcodec.errors import SourceError
from taskcodec.words import counted

_READ_ROWS = 1024
_BUFFER_BYTES = 2**20
"""Of all columns together that are read side by side."""
_LEAST_BUFFER_BYTES = 2**12
_NO_NUMBER = "a missing number (null) among its features"


def open_parquet(path: File, column: str | None = None) -> FeatureSource:
    """A column of vectors (the one named, or else as `choose` has it), or a column of floats for each feature.

    The length of the vectors is the one that most of the first rows have. Rows without a vector, or with one of another
    length or with a number missing, are rows of NaN whose fault is told. Columns of ids and of labels are kept.

    Raises:
        SourceError: no Parquet file, or none with such columns.
    """
    name = str(path) if column is None else f"{path}:{column}"
    with telling_faults(path):
        file = opened(path)
        schema = file.schema_arrow
        columns = choose(str(path), schema, column).columns
        dimension = len(columns) if len(columns) > 1 else _dimension(path, file, columns[0])
        ids, labels = (texts(file, str(path), found(schema, columns)) for found in (id_column, label_column))
        groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    block = _Blocks(path, columns, dimension, groups)
    return FeatureSource(
        name,
        file.metadata.num_rows,
        dimension,
        4 * dimension,
        block,
        size_of(path),
        ids,
        labels,
        fault=block.faults.get,
        files=(str(path),),
        marks=column or "",
        release=block.release,
    )


def _dimension(path: File, file: pq.ParquetFile, column: str) -> int:
    for batch in file.iter_batches(_READ_ROWS, columns=[column], use_threads=False):
        lengths = Counter(filter(None, pc.list_value_length(batch.column(0)).to_pylist()))
        if lengths:
            return int(lengths.most_common(1)[0][0])
    raise SourceError(f"{path}: no feature vectors in column {column}")


class _Blocks:
    """Rows of a column of vectors, streamed: memory holds a few pages, however large the row groups are.

    Or of a column for each feature. `faults` are those of the rows that were asked for last.
    """

    def __init__(self, path: File, columns: list[str], dimension: int, groups: Sequence[int]) -> None:
        self.path, self.columns, self.dimension = path, columns, dimension
        self.buffer_bytes = max(_BUFFER_BYTES // len(columns), _LEAST_BUFFER_BYTES)  # each column has its own
        self.starts = np.concatenate([[0], np.cumsum(groups)])
        self.faults = dict[int, str]()
        self.release()

    def release(self) -> None:
        """Let go of the file and of what was read of it."""
        self.batches: Any = None
        self.kept, self.first = np.empty((0, self.dimension), np.float32), 0
        self.faults.clear()

    def __call__(self, start: int, stop: int) -> Block:
        try:
            return self._read(start, stop)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{self.path}: damaged Parquet file ({type(error).__name__})") from error

    def _read(self, start: int, stop: int) -> Block:
        group = int(np.searchsorted(self.starts, start, "right")) - 1
        if self.batches is None or start < self.first or self.starts[group] > self.first + len(self.kept):
            self.release()
            file = opened(self.path, self.buffer_bytes)
            later = range(group, file.num_row_groups)
            self.batches = file.iter_batches(_READ_ROWS, row_groups=later, columns=self.columns, use_threads=False)
            self.first = int(self.starts[group])
        for row in [row for row in self.faults if row < start]:
            del self.faults[row]
        while self.first + len(self.kept) < stop:
            batch = next(self.batches, None)
            if batch is None:
                raise SourceError(f"{self.path}: ends after {counted(self.first + len(self.kept), 'row')}")
            passed = min(max(start - self.first, 0), len(self.kept))
            found, faults = (
                _table(batch.columns) if len(self.columns) > 1 else _vectors(batch.column(0), self.dimension)
            )
            at = self.first + len(self.kept)
            self.faults.update((at + row, fault) for row, fault in faults.items())
            self.kept = np.concatenate([self.kept[passed:], found])
            self.first += passed
        return self.kept[start - self.first : stop - self.first].copy()


def _table(columns: Sequence[pa.Array]) -> tuple[Block, dict[int, str]]:
    """Columns of m numbers -> (m, d), and the faults by row."""
    found = np.stack([_floats(column) for column in columns], axis=1)
    holes = np.zeros(len(found), bool)
    for column in columns:
        if column.null_count:
            holes |= np.asarray(column.is_null())
    return found, dict.fromkeys(np.flatnonzero(holes).tolist(), _NO_NUMBER)


def _vectors(column: pa.Array, dimension: int) -> tuple[Block, dict[int, str]]:
    """m lists -> (m, d), NaN where there is none of this length, and the faults by row."""
    found = np.full((len(column), dimension), np.nan, np.float32)
    lengths: npt.NDArray[Any] = pc.fill_null(pc.list_value_length(column), -1).to_numpy(zero_copy_only=False)
    fits = np.flatnonzero(lengths == dimension)
    values = column.take(pa.array(fits)).flatten()
    found[fits] = _floats(values).reshape(-1, dimension)
    faults = {int(row): _length_fault(int(lengths[row]), dimension) for row in np.flatnonzero(lengths != dimension)}
    if values.null_count:
        holes = np.asarray(values.is_null()).reshape(-1, dimension).any(axis=1)
        faults.update(dict.fromkeys(fits[holes].tolist(), _NO_NUMBER))
    return found, faults


def _length_fault(length: int, dimension: int) -> str:
    if length < 0:
        return "no vector in its row"
    return f"a vector of {counted(length, 'number')}, not {dimension}" if length else "an empty vector in its row"


def _floats(column: pa.Array) -> Block:
    with np.errstate(over="ignore"):  # infinity, and its row a recorded failure
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)

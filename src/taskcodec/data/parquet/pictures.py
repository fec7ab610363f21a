"""Pictures in Parquet files: a column of their bytes, or of {bytes, path} as Hugging Face's `datasets` writes them.

Bytes are read when a picture is asked for, by a stream through the column: memory holds the last few.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.data.folders import Files
from taskcodec.data.items import MAX_ITEM_BYTES, ImageSource, Item, distinct, faulty
from taskcodec.data.parquet.columns import choose, id_column, label_column, opened, telling_faults, texts
from taskcodec.errors import SourceError
from taskcodec.names import distinct_names, readable

_READ_ROWS = 16
_KEPT_BYTES, _KEPT_ROWS = 2**26, 64
"""A reader keeps the last rows up to so many bytes, and so many rows at least: threads ask roughly in order."""
_OPEN_FILES = 4


def open_pictures(files: Files, numbered: bool = False) -> ImageSource:
    """The pictures in Parquet files, in the order of the files and their rows.

    A picture is named by its file's column of ids, or else by the path beside its bytes, or else FILE:ROW (by the row's
    number alone where `numbered`); a file that cannot be read is one item with that fault.

    Raises:
        SourceError: none of the files has pictures that can be read.
    """
    tables, beside, first = list[_Table](), list(files.beside), None
    names = distinct_names([readable(name) for name in files.paths])
    for name, (raw, path) in zip(names, files.paths.items(), strict=True):
        try:
            tables.append(_open(path, "" if numbered else f"{name}:", files.column))
        except SourceError as error:
            first = first or error
            beside.append(faulty(raw, str(error).removeprefix(f"{path}: ")))
    beside = distinct(beside)
    if not tables:
        raise first or SourceError(f"{files.name}: no files of pictures")
    return ImageSource(
        files.name,
        _Items(tables, beside),
        skipped=files.skipped,
        files=tuple(table.path for table in tables),
        marks="\n".join([files.column or "", *files.paths, *(item.raw or item.id for item in beside)]),
    )


@dataclass(frozen=True)
class _Table:
    """A file: how to read its pictures, and its rows' names and labels. `starts` are of its row groups, and the end."""

    path: str
    column: str
    is_struct: bool
    starts: npt.NDArray[np.int64]
    names: pa.Array
    labels: Sequence[str | None] | None

    def __len__(self) -> int:
        return len(self.names)

    def group(self, row: int) -> int:
        """The row group of a row."""
        return int(np.searchsorted(self.starts, row, "right")) - 1


def _open(path: str, prefix: str, column: str | None) -> _Table:
    with telling_faults(path):
        file = opened(path)
        schema = file.schema_arrow
        chosen = choose(path, schema, column)
        if chosen.kind != "pictures":
            raise SourceError(f"{path}: expected pictures, found vectors")
        name = chosen.columns[0]
        is_struct = bool(pa.types.is_struct(schema.field(name).type))
        ids = texts(file, path, id_column(schema, [name]))
        if ids is None and is_struct and any(field.name == "path" for field in schema.field(name).type):
            paths = file.read(columns=[f"{name}.path"], use_threads=False)[name]
            ids = pc.struct_field(paths, "path").cast(pa.large_string()).to_pylist()
        labels = texts(file, path, label_column(schema, [name]))
        groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = np.cumsum([0, *groups])
    known = (f"{prefix}{row}" if ids is None or ids[row] is None else ids[row] for row in range(starts[-1]))
    return _Table(path, name, is_struct, starts, pa.array(known, pa.large_string()), labels)


class _Items(Sequence[Item]):
    """The pictures of all files, and then what lies beside them; made when asked for."""

    def __init__(self, tables: Sequence[_Table], beside: Sequence[Item]) -> None:
        self._tables, self._beside = tables, beside
        self._starts = np.concatenate([[0], np.cumsum([len(table) for table in tables])])
        names = pa.chunked_array([table.names for table in tables], pa.large_string())
        alike = len(pc.unique(names)) < len(names)
        self._names: Any = distinct_names(names.to_pylist()) if alike else names
        self._reader = lru_cache(_OPEN_FILES)(lambda number: _Reader(tables[number]))

    def __len__(self) -> int:
        return int(self._starts[-1]) + len(self._beside)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._item(row) for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._item(int(index) % len(self))

    def _item(self, row: int) -> Item:
        if row >= self._starts[-1]:
            return self._beside[row - int(self._starts[-1])]
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        own = row - int(self._starts[number])
        labels, name = self._tables[number].labels, self._names[row]
        label = None if labels is None else labels[own]
        return Item(name if isinstance(name, str) else name.as_py(), None, label, partial(self._read, number, own))

    def _read(self, number: int, row: int) -> bytes:
        return self._reader(number).read(row)


class _Reader:
    """Rows of a column of bytes, streamed, for several threads that ask roughly in order."""

    def __init__(self, table: _Table) -> None:
        self._table, self._lock = table, threading.Lock()
        self._rows: Iterator[bytes | None] | None = None
        self._kept, self._first, self._bytes = deque[bytes | None](), 0, 0
        self._lost = dict[int, tuple[int, Exception]]()
        """By row group, the first row that damage keeps from being read: what follows it is not tried each time."""

    def read(self, row: int) -> bytes:
        """Raises SourceError where the row has no picture, or the file is damaged."""
        try:
            with self._lock:
                found = self._row(row)
        except (OSError, pa.ArrowException, StopIteration) as error:
            raise SourceError(f"cannot be read from its Parquet file ({type(error).__name__})") from error
        if found is None:
            raise SourceError("no picture in its row")
        if len(found) > MAX_ITEM_BYTES:
            raise SourceError("larger than an image may be")
        return found

    def _row(self, row: int) -> bytes | None:
        group = self._table.group(row)
        lost, error = self._lost.get(group, (row + 1, StopIteration()))
        if row >= lost:
            raise error
        end = self._first + len(self._kept)
        if self._rows is None or row < self._first or self._table.starts[group] > end:
            file = opened(self._table.path)
            self._rows = self._stream(file, group)
            self._kept, self._first, self._bytes = deque(), int(self._table.starts[group]), 0
        while self._first + len(self._kept) <= row:
            self._keep(self._rows)
        return self._kept[row - self._first]

    def _keep(self, rows: Iterator[bytes | None]) -> None:
        end = self._first + len(self._kept)
        try:
            picture = next(rows)
        except Exception as error:
            self._rows, self._lost[self._table.group(end)] = None, (end, error)
            raise
        self._kept.append(picture)
        self._bytes += len(picture or b"")
        while self._bytes > _KEPT_BYTES and len(self._kept) > _KEPT_ROWS:
            self._bytes -= len(self._kept.popleft() or b"")
            self._first += 1

    def _stream(self, file: pq.ParquetFile, group: int) -> Iterator[bytes | None]:
        leaf = f"{self._table.column}.bytes" if self._table.is_struct else self._table.column
        for later in range(group, file.num_row_groups):  # one by one: damage in one takes nothing of another
            for batch in file.iter_batches(_READ_ROWS, row_groups=[later], columns=[leaf], use_threads=False):
                column = batch.column(0)
                column = pc.struct_field(column, "bytes") if self._table.is_struct else column
                yield from column.to_pylist()

"""Several files of vectors as one source: rows in the order of the files, one file open at a time."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taskcodec.data.arrays import Block, FeatureSource
from taskcodec.data.folders import Files
from taskcodec.data.remote.files import File, file_at
from taskcodec.errors import SourceError
from taskcodec.names import distinct_names, readable


def join(files: Files, open_one: Callable[[File], FeatureSource]) -> FeatureSource:
    """Files of vectors as one source. A row is named by its file's column of ids, or else FILE:ROW.

    A file that cannot be read is one row, by its name, whose fault is told; so is what lies beside the files.

    Raises:
        SourceError: none of the files can be read, or their vectors are not all of one length.
    """
    parts, first = dict[str, FeatureSource | str](), None
    for name, path in files.paths.items():
        try:
            parts[name] = open_one(file_at(path))
        except SourceError as error:
            first = first or error
            parts[name] = str(error).removeprefix(f"{path}: ")
    opened = [part for part in parts.values() if isinstance(part, FeatureSource)]
    if not opened:
        raise first or SourceError(f"{files.name}: no files of vectors")
    dimension = _dimension(opened)
    parts |= {item.id: str(item.fault) for item in files.beside}
    names = distinct_names([readable(name) for name in parts])
    rows = _Rows([_Part(name, _whole(name, part, dimension)) for name, part in zip(names, parts.values(), strict=True)])
    sources = [part.source for part in rows.parts]
    size = sum(source.rows * source.row_bytes for source in sources)
    return FeatureSource(
        files.name,
        len(rows),
        dimension,
        size // max(len(rows), 1),
        rows.block,
        sum(source.file_bytes for source in sources),
        _Texts(rows, lambda part, row: part.id_of(row)),
        _Texts(rows, lambda part, row: part.label_of(row))
        if any(source.labels is not None for source in sources)
        else None,
        fault=rows.faults.get,
        files=tuple(file for source in opened for file in source.files or (source.name,)),
        marks="\n".join([files.column or "", *parts]),
        unique_ids=all(source.ids is None for source in opened),
        skipped=files.skipped,
        release=rows.release,
    )


def _dimension(sources: Sequence[FeatureSource]) -> int:
    dimension, _ = Counter(source.dimension for source in sources).most_common(1)[0]
    usual = next(source for source in sources if source.dimension == dimension)
    odd = next((source for source in sources if source.dimension != dimension), None)
    if odd is not None:
        raise SourceError(
            f"{odd.name}: vectors of {odd.dimension} numbers, those of {usual.name} have {dimension}; files of one "
            "source have one length: name those that belong together by a pattern or a list (.txt)"
        )
    return dimension


def _whole(name: str, part: FeatureSource | str, dimension: int) -> FeatureSource:
    if isinstance(part, FeatureSource):
        return part
    row = np.full((1, dimension), np.nan, np.float32)
    return FeatureSource(name, 1, dimension, 0, lambda start, stop: row[start:stop], 0, [name], fault=lambda row: part)


@dataclass(frozen=True)
class _Part:
    """A file, by the name that its rows get."""

    name: str
    source: FeatureSource

    def id_of(self, row: int) -> str:
        own = None if self.source.ids is None else self.source.ids[row]
        return f"{self.name}:{row}" if own is None else own

    def label_of(self, row: int) -> str | None:
        return None if self.source.labels is None else self.source.labels[row]


class _Rows:
    """The rows of all parts. What damage keeps from being read are rows of NaN whose fault is told."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self.parts = parts
        self.starts = np.concatenate([[0], np.cumsum([part.source.rows for part in parts])])
        self.faults = dict[int, str]()
        self.open: FeatureSource | None = None

    def __len__(self) -> int:
        return int(self.starts[-1])

    def at(self, row: int) -> tuple[_Part, int]:
        """The part of a row, and the row's number in it."""
        number = int(np.searchsorted(self.starts, row, "right")) - 1
        return self.parts[number], row - int(self.starts[number])

    def block(self, start: int, stop: int) -> Block:
        self.faults.clear()
        found = []
        while start < stop:
            part, first = self.at(start)
            count = min(stop - start, part.source.rows - first)
            if self.open is not part.source:
                self.release()
                self.open = part.source
            found.append(self._read(part.source, start, first, count))
            start += count
        return np.concatenate(found)

    def _read(self, source: FeatureSource, start: int, first: int, count: int) -> Block:
        try:
            block = source.block(first, first + count)
        except SourceError as error:
            reason = str(error).removeprefix(f"{(source.files or (source.name,))[0]}: ")
            self.faults.update(dict.fromkeys(range(start, start + count), reason))
            return np.full((count, source.dimension), np.nan, np.float32)
        for row in np.flatnonzero(np.isnan(block).any(axis=1)).tolist():  # asked now, while the file is open
            if (fault := source.fault(first + row)) is not None:
                self.faults[start + row] = fault
        return block

    def release(self) -> None:
        if self.open is not None:
            self.open.release()


class _Texts(Sequence[str | None]):
    def __init__(self, rows: _Rows, text: Callable[[_Part, int], str | None]) -> None:
        self._rows, self._text = rows, text

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        return self._text(*self._rows.at(row % len(self)))

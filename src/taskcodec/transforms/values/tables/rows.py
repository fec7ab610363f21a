"""Rows of a table <-> symbols, column by column; every value comes back, in its type."""

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.values.tables.numbers import NumberField
from taskcodec.transforms.values.tables.shapes import Shape, Symbols, moved
from taskcodec.transforms.values.tables.types import is_text, named_type
from taskcodec.transforms.values.tables.words import WordField
from taskcodec.transforms.values.transform import ValuesTransform
from taskcodec.words import counted

Field = NumberField | WordField
MAX_FIELDS = 1 << 10
MAX_INFLATED = 1 << 27
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 22}]


@dataclass(frozen=True, eq=False)
class TableRows(ValuesTransform):
    """See the module.

    Attributes:
        names: of the columns.
        fields: what each holds.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "table"

    names: tuple[str, ...]
    fields: tuple[Field, ...]
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.fields) <= MAX_FIELDS or len(self.names) != len(self.fields):
            raise CorruptFileError("a table without columns, or with more than any of ours")

    @property
    def columns(self) -> int:
        """c, the symbols of a row."""
        return sum(each.columns for each in self.fields)

    @property
    def dimension(self) -> int:
        """How many values a row has."""
        return len(self.fields)

    @property
    def words(self) -> str:
        """Such as "rows of 15 columns"."""
        return f"rows of {counted(len(self.fields), 'column')}"

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types."""
        return pa.schema([pa.field(name, each.type) for name, each in zip(self.names, self.fields, strict=True)])

    @property
    def shapes(self) -> list[Shape]:
        """What the columns of symbols are."""
        found = list[Shape]()
        for each in self.fields:
            found += moved(each.shapes, len(found))
        return found

    def gathered(self, samples: Any) -> tuple[pa.Table, bool]:
        """Rows, as a table of Arrow or of what speaks its protocol, a dict or a list of dicts; and whether it was one.

        Raises MismatchError on what has not these columns in these types.
        """
        alone = isinstance(samples, Mapping)
        if alone or (isinstance(samples, Sequence) and all(isinstance(row, Mapping) for row in samples)):
            rows = [samples] if alone else list(samples)
            if odd := next((set(row) ^ set(self.names) for row in rows if set(row) != set(self.names)), None):
                raise MismatchError(f"rows have the columns {', '.join(self.names)}; {', '.join(map(str, odd))} differ")
            try:
                return pa.Table.from_pylist(rows, self.schema), alone
            except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, OverflowError) as error:
                raise MismatchError(f"rows of other types than the codec's: {error}") from error
        try:
            table = samples if isinstance(samples, pa.Table) else pa.table(samples)
        except (TypeError, ValueError, pa.ArrowInvalid) as error:
            raise MismatchError(f"{self.words} are expected, found {type(samples).__name__}") from error
        if tuple(table.column_names) != self.names:
            raise MismatchError(f"a table of the columns {', '.join(table.column_names)}, not {', '.join(self.names)}")
        for of in self.schema:
            if (found := table.schema.field(of.name).type) != of.type:
                raise MismatchError(f"column {of.name!r} is of the type {found}, not {of.type}")
        return table, alone

    def to_symbols(self, values: Any) -> Symbols:
        """n rows, as `gathered` gives them -> (n, c). Raises MismatchError on others, and on long words not listed."""
        table, found = self.gathered(values)[0], list[Symbols]()
        for place, (name, each) in enumerate(zip(self.names, self.fields, strict=True)):
            column = table.column(place).combine_chunks()
            column = column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)
            try:
                found.append(each.to_symbols(column))
            except MismatchError as error:
                raise MismatchError(f"column {name!r}, {error}") from error
        return np.concatenate(found, axis=1)

    def to_values(self, symbols: Symbols) -> pa.Table:
        """Invert `to_symbols`. Raises CorruptFileError on symbols that no rows have."""
        if symbols.ndim != 2 or symbols.shape[1] != self.columns:
            raise CorruptFileError(f"symbols of shape {symbols.shape}, where {self.words} have {self.columns}")
        arrays, start = list[pa.Array](), 0
        for each in self.fields:
            arrays.append(each.to_values(symbols[:, start : start + each.columns]))
            start += each.columns
        return pa.Table.from_arrays(arrays, schema=self.schema)

    def one(self, values: Any) -> dict[str, Any]:
        """The first row, as a dict."""
        row: dict[str, Any] = values.slice(0, 1).to_pylist()[0]
        return row

    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        return {"kind": self.kind}

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What the codec's file holds of it: names, types, and what is listed of values, as JSON in LZMA2."""
        data = self._encoded if self.read_from is None else self.read_from
        return {"fields": np.frombuffer(data, np.uint8)}

    @cached_property
    def _encoded(self) -> bytes:
        columns = [
            {"name": name, "type": str(each.type), **each.described()}
            for name, each in zip(self.names, self.fields, strict=True)
        ]
        text = json.dumps(columns, ensure_ascii=True, separators=(",", ":")).encode()
        return len(text).to_bytes(4, "little") + lzma.compress(text, lzma.FORMAT_RAW, filters=_FILTERS)

    @classmethod
    def read(cls, described: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert `tensors`. Raises KeyError, TypeError or CorruptFileError on anything else."""
        data = tensors["fields"].tobytes()
        try:
            columns = json.loads(_inflated(data))
            names = tuple(str(column["name"]) for column in columns)
            fields = tuple(_read_field(column) for column in columns)
        except (ValueError, OverflowError, AttributeError, lzma.LZMAError) as error:
            raise CorruptFileError(f"the columns of a table are damaged: {error}") from error
        found = cls(names, fields)
        object.__setattr__(found, "read_from", data)
        return found


def _read_field(column: dict[str, Any]) -> Field:
    kind = named_type(column["type"])
    return WordField.read(kind, column) if is_text(kind) else NumberField.read(kind, column)


def _inflated(data: bytes) -> bytes:
    length = int.from_bytes(data[:4], "little")
    if len(data) < 5 or length > MAX_INFLATED:
        raise CorruptFileError("the columns of a table are damaged or truncated")
    inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    text = inflater.decompress(data[4:], length + 1)
    if len(text) != length:
        raise CorruptFileError("the columns of a table are damaged or truncated")
    return text

"""What the columns of a Parquet file are: vectors, pictures, features, ids, labels."""

import json
import os
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskcodec.data.labels import ID_COLUMNS, LABEL_COLUMNS, column_named
from taskcodec.data.remote.files import File, RemoteFile, file_at
from taskcodec.errors import SourceError

FEATURE_COLUMNS = ("features", "embedding", "embeddings", "vector")
PICTURE_COLUMNS = ("image", "img", "picture", "photo", "jpg", "png")
_ALWAYS_TEXT = ("id", "label")
"""Columns of these names come before others of their kind, and must be such."""
_UUID_BYTES = 16
_BUFFER_BYTES = 2**20
_REMOTE_TIMES, _LEAST_REMOTE_BYTES = 4, 2**17
"""Of a file under a URL more is read at once: each time is a request."""
_SHOWN = 6
"""Names in one message."""


@dataclass(frozen=True)
class Choice:
    """The columns that samples are made of: one of vectors or of pictures, or a column for each feature."""

    kind: Literal["vectors", "pictures"]
    columns: list[str]


def choose(name: str, schema: pa.Schema, column: str | None = None) -> Choice:
    """What samples are made of in a file with this schema; `column` is the one that its user names.

    Of columns that may hold samples those of a known name count (features, embedding, ...; image, ...), else all, and
    there must be but one. Where there is none, every column is a feature, but for ids and labels.

    Raises:
        SourceError: no such column, none that fits, or several.
    """
    twice = next((one for one, count in Counter(schema.names).items() if count > 1), None)
    if twice is not None:
        raise SourceError(f"{name}: has two columns named {twice}; rename one of them")
    vectors = [field.name for field in schema if _is_vector(field.type)]
    pictures = [field.name for field in schema if _is_picture(field)]
    if column is not None:
        return _named(name, schema, column, vectors)
    if len(vectors) > 1:
        vectors = [found for found in vectors if not _is_described(found)] or vectors
    features = _features(schema)
    known = [found for found in vectors + pictures if found in (*FEATURE_COLUMNS, *PICTURE_COLUMNS)]
    structs = [found for found in pictures if pa.types.is_struct(schema.field(found).type)]
    # A column of bytes may hold anything: it is one of pictures by its name, or where there is nothing else.
    floats = [found for found in features if pa.types.is_floating(schema.field(found).type)]
    found = known or vectors + structs or ([] if len(floats) > 1 else pictures)
    if len(found) > 1:
        words = ", ".join(f"{one} ({'vectors' if one in vectors else 'pictures'})" for one in found)
        raise SourceError(f"{name}: samples may be in {words}: name the column, {name}:{found[0]}")
    if found:
        return Choice("vectors" if found[0] in vectors else "pictures", found)
    odd = [one for one in features if one not in floats]
    if len(features) > 1 and not odd:
        return Choice("vectors", features)
    shown = odd if 2 * len(odd) < len(features) else schema.names
    raise SourceError(
        f"{name}: expected one column of lists of numbers or of pictures, or a column of floats for each feature and "
        f"no others, found {'besides ' if shown is odd else ''}{_listed(shown)}"
    )


def opened(path: File | str, buffer_bytes: int = _BUFFER_BYTES) -> pq.ParquetFile:
    """A Parquet file whose columns are read page by page: as it is, Arrow reads a row group's whole column at once."""
    place = file_at(path)
    if isinstance(place, RemoteFile):
        buffer_bytes = max(_REMOTE_TIMES * buffer_bytes, _LEAST_REMOTE_BYTES)
        return pq.ParquetFile(place.open(blocks=False), buffer_size=buffer_bytes, pre_buffer=False)
    file = pa.OSFile(os.fsencode(place))  # by name, Arrow opens none that is not UTF-8
    return pq.ParquetFile(file, buffer_size=buffer_bytes, pre_buffer=False)


@contextmanager
def telling_faults(path: File | str) -> Iterator[None]:
    """Raise SourceError instead where a file is no Parquet file, or one that is damaged in what tells of it."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: not a Parquet file that can be read ({type(error).__name__})") from error


def id_column(schema: pa.Schema, taken: Collection[str]) -> str | None:
    """The column of ids, where there is one beside those that are taken."""
    return _text_column(schema, taken, ("id", *ID_COLUMNS))


def label_column(schema: pa.Schema, taken: Collection[str]) -> str | None:
    """The column of labels, where there is one beside those that are taken."""
    return _text_column(schema, taken, ("label", *LABEL_COLUMNS))


def texts(file: pq.ParquetFile, name: str, column: str | None) -> "Texts | None":
    """A column of a file as text; None for none. Raises SourceError where it is neither text nor numbers."""
    if column is None:
        return None
    found = file.read(columns=[column], use_threads=False)[column]
    try:
        return Texts(found, _class_names(file.schema_arrow, column))
    except pa.ArrowException as error:
        raise SourceError(f"{name}: expected text or numbers in column {column}, found {found.type}") from error


class Texts(Sequence[str | None]):
    """A column as text, kept as Arrow keeps it. Bytes are UTF-8, or else shown in hexadecimal; fixed 16 are a UUID."""

    def __init__(self, column: pa.ChunkedArray, names: Sequence[str] = ()) -> None:
        """`names` are those of classes, where the column holds their numbers."""
        if names and pa.types.is_integer(column.type):
            column = pc.take(pa.array(names), pc.if_else(_below(column, len(names)), column, None))
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            column = pa.chunked_array([chunk.storage for chunk in column.chunks], type=kind.storage_type)
        elif pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        kind = column.type
        if pa.types.is_floating(kind):  # how pandas writes a number that is not there
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
        self._uuids = pa.types.is_fixed_size_binary(kind) and kind.byte_width == _UUID_BYTES
        target = pa.large_binary() if _is_bytes(kind) or pa.types.is_fixed_size_binary(kind) else pa.large_string()
        self._column = column.cast(target).combine_chunks()

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, row: Any) -> Any:
        found = self._column[row].as_py()
        if not isinstance(found, bytes):
            return found
        if self._uuids:
            return str(uuid.UUID(bytes=found))
        try:
            return found.decode()
        except UnicodeDecodeError:
            return found.hex()


def _named(name: str, schema: pa.Schema, column: str, vectors: list[str]) -> Choice:
    if column not in schema.names:
        raise SourceError(f"{name}: no column {column}; it has {_listed(schema.names)}")
    kind = schema.field(column).type
    if column in vectors:
        return Choice("vectors", [column])
    if _is_bytes(kind) or _bytes_in(kind):
        return Choice("pictures", [column])
    raise SourceError(f"{name}: column {column} holds neither lists of numbers nor pictures ({kind})")


def _features(schema: pa.Schema) -> list[str]:
    index = (schema.pandas_metadata or {}).get("index_columns", [])  # pandas keeps a table's index as columns
    return [found for found in schema.names if found not in map(str, index) and not _is_described(found)]


def _is_described(name: str) -> bool:
    """Whether a column of this name says something of a sample, and is no part of it."""
    return name.casefold() in (*ID_COLUMNS, *LABEL_COLUMNS)


def _text_column(schema: pa.Schema, taken: Collection[str], known: Sequence[str]) -> str | None:
    fields = (field for field in schema if field.name not in taken)
    fitting = [field.name for field in fields if field.name in _ALWAYS_TEXT or not _is_other(field)]
    return column_named(fitting, known)


def _is_other(field: pa.Field) -> bool:
    return pa.types.is_nested(field.type) or (_is_picture(field) and field.name in PICTURE_COLUMNS)


def _is_vector(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)
    return bool(lists) and bool(pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))


def _is_picture(field: pa.Field) -> bool:
    if _bytes_in(field.type):
        return True
    return _is_bytes(field.type) and (field.name in PICTURE_COLUMNS or not _is_described(field.name))


def _bytes_in(kind: pa.DataType) -> bool:
    """Whether a type is that of the pictures of Hugging Face's `datasets`: {bytes, path}."""
    return bool(pa.types.is_struct(kind)) and any(one.name == "bytes" and _is_bytes(one.type) for one in kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_names(schema: pa.Schema, column: str) -> list[str]:
    """The names of the classes whose numbers a column holds, as Hugging Face's `datasets` writes them; else none."""
    try:
        described = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]
        return [str(name) for name in described["names"]] if described.get("_type") == "ClassLabel" else []
    except (KeyError, TypeError, ValueError, AttributeError):
        return []


def _below(column: pa.ChunkedArray, limit: int) -> pa.ChunkedArray:
    return pc.and_(pc.greater_equal(column, 0), pc.less(column, limit))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return (", ".join(names[:_SHOWN]) or "none") + (f" and {more:,} more" if more > 0 else "")

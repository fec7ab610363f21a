"""Sources: a folder of images, a list of them, zip or tar shards, or an array of features.

A source is an ordered sequence of items. Opening one reads names and sizes only. Whatever lies in it is an item, also
what turns out to be no image: it gets a record with the reason, so that every file is accounted for.
"""

import glob
import hashlib
import os
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from taskcodec.data.labels import label_of_path, look_up
from taskcodec.errors import SourceError

SHARDS = (".zip", ".tar", ".tar.gz", ".tgz")
SIDE_FILES = (".cls", ".txt", ".json", ".csv")
MAX_ITEM_BYTES = 2**30


@dataclass(frozen=True)
class Item:
    """One file of a source.

    Attributes:
        id: unique in the source: its relative POSIX path, in a shard after the shard's name.
        size: in bytes.
        label: its class, or None.
        read: gives what `open_image` takes (a path or bytes); raises SourceError or OSError.
        fault: why it need not be tried, or None.
    """

    id: str
    size: int
    label: str | None
    read: Callable[[], Any]
    fault: str | None = None


@dataclass(frozen=True)
class ImageSource:
    """Files that should be images."""

    name: str
    items: Sequence[Item]
    kind: str = "images"

    def __len__(self) -> int:
        return len(self.items)

    def descriptor(self) -> dict[str, Any]:
        """What tells this source from another when an encode is resumed."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{item.id}\0{item.size}\n".encode("utf-8", "surrogateescape"))
        return {"kind": self.kind, "count": len(self), "sha256": digest.hexdigest()}

    def with_labels(self, labels: dict[str, str]) -> "ImageSource":
        """The same items with labels from a table."""
        return replace(self, items=[replace(item, label=look_up(labels, item.id)) for item in self.items])


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """Rows of an (n, d) array, read block by block."""

    name: str
    rows: int
    dimension: int
    row_bytes: int
    block: Callable[[int, int], npt.NDArray[np.float32]]
    file_bytes: int
    ids: Sequence[str] | None = None
    labels: Sequence[str | None] | None = None
    kind: str = "features"

    def __len__(self) -> int:
        return self.rows

    def descriptor(self) -> dict[str, Any]:
        """What tells this source from another when an encode is resumed."""
        ends = self.block(0, min(self.rows, 64)).tobytes() + self.block(max(0, self.rows - 64), self.rows).tobytes()
        digest = hashlib.sha256(ends + str((self.rows, self.dimension, self.file_bytes)).encode())
        return {"kind": self.kind, "count": self.rows, "sha256": digest.hexdigest()}

    def with_labels(self, labels: dict[str, str]) -> "FeatureSource":
        """The same rows with labels from a table, looked up by id (by default the row number)."""
        return replace(self, labels=[look_up(labels, self.id_of(row)) for row in range(self.rows)])

    def id_of(self, row: int) -> str:
        """The id of a row."""
        return str(row) if self.ids is None else self.ids[row]


Source = ImageSource | FeatureSource


def open_source(place: str | Path) -> Source:
    """Open a folder, list, shard, glob of shards, .npy or .parquet. Raises SourceError."""
    text = str(place)
    path = Path(place)
    if any(letter in text for letter in "*?[") and not path.exists():
        found = sorted(glob.glob(text))
        if not found:
            raise SourceError(f"{text}: no file matches")
        return _shards(text, [Path(name) for name in found])
    if not os.path.lexists(path):
        raise SourceError(f"{text}: no such file or folder")
    if path.is_dir():
        shards = sorted(p for p in path.iterdir() if p.name.lower().endswith(SHARDS) and p.is_file())
        return _shards(text, shards) if shards else _folder(path)
    lower = path.name.lower()
    if lower.endswith(SHARDS):
        return _shards(text, [path])
    if lower.endswith(".npy"):
        return _npy(path)
    if lower.endswith(".parquet"):
        return _parquet(path)
    if lower.endswith((".txt", ".lst", ".list")):
        return _list(path)
    raise SourceError(
        f"{text}: not a source: expected a folder of images, a list (.txt), shards (.zip, .tar), .npy or .parquet"
    )


def _folder(root: Path) -> ImageSource:
    items: list[Item] = []
    seen: set[tuple[int, int]] = set()

    def visit(folder: str, relative: str) -> None:
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                return  # a link back to a folder that was visited: a loop, or a second name for the same files
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            items.append(Item(relative or ".", 0, None, lambda: None, f"folder cannot be read ({error.strerror})"))
            return
        for entry in entries:
            name = f"{relative}/{entry.name}" if relative else entry.name
            try:
                if entry.is_dir():
                    visit(entry.path, name)
                else:
                    items.append(_file_item(entry.path, name))
            except OSError as error:
                items.append(Item(name, 0, None, lambda: None, f"cannot be read ({error.strerror})"))

    visit(str(root), "")
    if not items:
        raise SourceError(f"{root}: an empty folder")
    return ImageSource(str(root), items)


def _file_item(path: str, name: str, label: str | None = None) -> Item:
    label = label_of_path(name) if label is None else label
    try:
        if not os.path.exists(path):
            reason = "link to nothing" if os.path.islink(path) else "no such file"
            return Item(name, 0, label, lambda: path, reason)
        if not os.path.isfile(path):
            return Item(name, 0, label, lambda: path, "not a regular file")
        return Item(name, os.path.getsize(path), label, lambda: path)
    except OSError as error:
        return Item(name, 0, label, lambda: path, f"cannot be read ({error.strerror})")


def _list(path: Path) -> ImageSource:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise SourceError(f"{path}: an empty list of images")
    return ImageSource(str(path), _distinct([_file_item(str(path.parent / name), name) for name in names]))


def _shards(name: str, paths: Sequence[Path]) -> ImageSource:
    items: list[Item] = []
    for path in paths:
        prefix = "" if len(paths) == 1 else f"{path.name}/"
        items.extend(_zip_items(path, prefix) if path.name.lower().endswith(".zip") else _tar_items(path, prefix))
    if not items:
        raise SourceError(f"{name}: shards without files")
    return ImageSource(name, _distinct(items))


def _zip_items(path: Path, prefix: str) -> list[Item]:
    def reader(member: str) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                with zipfile.ZipFile(path) as archive:
                    return archive.read(member)
            except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
                raise SourceError(f"damaged in its zip file ({error})") from error

        return read

    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path}: not a whole zip file ({error})") from error
    return [
        Item(
            prefix + info.filename,
            info.file_size,
            label_of_path(info.filename),
            reader(info.filename),
            "larger than an image may be" if info.file_size > MAX_ITEM_BYTES else None,
        )
        for info in members
    ]


def _tar_items(path: Path, prefix: str) -> list[Item]:
    """Members of a tar file; `KEY.cls` or `KEY.txt` beside `KEY.jpg` is its label (the WebDataset convention)."""

    def reader(member: tarfile.TarInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                with tarfile.open(path) as archive:
                    stream = archive.extractfile(member)
                    return stream.read() if stream is not None else b""
            except (tarfile.TarError, EOFError) as error:
                raise SourceError(f"damaged in its tar file ({error})") from error

        return read

    items, labels = [], {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.isfile():
                    continue
                stem, extension = os.path.splitext(member.name)
                if extension == ".cls" and member.size < 4096:
                    stream = archive.extractfile(member)
                    labels[stem] = stream.read().decode("utf-8", "replace").strip() if stream is not None else ""
                    continue
                items.append((stem, member))
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SourceError(f"{path}: not a whole tar file ({error})") from error
    return [
        Item(prefix + member.name, member.size, labels.get(stem) or label_of_path(member.name), reader(member))
        for stem, member in items
        if not (stem in labels and member.name.endswith(SIDE_FILES))
    ]


def _distinct(items: list[Item]) -> list[Item]:
    """Give a second item of the same id the id `NAME#2`, and so on."""
    seen: dict[str, int] = {}
    distinct = []
    for item in items:
        seen[item.id] = seen.get(item.id, 0) + 1
        number = seen[item.id]
        distinct.append(item if number == 1 else replace(item, id=f"{item.id}#{number}"))
    return distinct


def _npy(path: Path) -> FeatureSource:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{path}: not a .npy file of features ({error})") from error
    if array.ndim != 2 or not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise SourceError(f"{path}: expected an (n, d) array of numbers, found {array.dtype} {array.shape}")
    if 0 in array.shape:
        raise SourceError(f"{path}: an empty array of shape {array.shape}")
    shape, offset, dtype = array.shape, getattr(array, "offset", 0), array.dtype
    del array

    def block(start: int, stop: int) -> npt.NDArray[np.float32]:
        # Mapped anew for each block, so that pages read before do not count as this process's memory.
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order=order)
        return np.asarray(mapped[start:stop], dtype=np.float32)

    order: Any = "C" if np.load(path, mmap_mode="r", allow_pickle=False).flags.c_contiguous else "F"
    return FeatureSource(str(path), shape[0], shape[1], shape[1] * dtype.itemsize, block, path.stat().st_size)


def _parquet(path: Path) -> FeatureSource:
    """A column of lists of floats (named features or embedding, or the only one); id and label columns are kept."""
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        lists = [
            field.name for field in schema if pa.types.is_list(field.type) or pa.types.is_fixed_size_list(field.type)
        ]
        column = next((name for name in ("features", "embedding", "embeddings", "vector") if name in lists), None)
        column = column or (lists[0] if len(lists) == 1 else None)
        if column is None:
            raise SourceError(f"{path}: expected one column of lists of floats, found {', '.join(schema.names)}")
        extra = [name for name in ("id", "label") if name in schema.names]
        table = file.read(columns=extra)
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        first = file.read_row_group(0, columns=[column])[column].to_pylist()[:1] if counts else []
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path}: not a Parquet file that can be read ({type(error).__name__})") from error
    if not first or not first[0]:
        raise SourceError(f"{path}: no feature vectors in column {column}")
    d = len(first[0])
    starts = np.concatenate([[0], np.cumsum(counts)])

    def block(start: int, stop: int) -> npt.NDArray[np.float32]:
        groups = range(int(np.searchsorted(starts, start, "right")) - 1, int(np.searchsorted(starts, stop, "left")))
        opened = pq.ParquetFile(path)
        pieces = []
        for group in groups:
            values = opened.read_row_group(group, columns=[column])[column].combine_chunks()
            flat = np.asarray(values.flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
            if flat.size != len(values) * d:
                raise SourceError(f"{path}: vectors of different lengths (the first has {d} numbers)")
            low, high = max(start - starts[group], 0), min(stop - starts[group], counts[group])
            pieces.append(flat.reshape(-1, d)[low:high])
        return np.concatenate(pieces) if pieces else np.empty((0, d), np.float32)

    ids = [str(value) for value in table["id"].to_pylist()] if "id" in extra else None
    labels = [None if v is None else str(v) for v in table["label"].to_pylist()] if "label" in extra else None
    return FeatureSource(str(path), int(starts[-1]), d, 4 * d, block, path.stat().st_size, ids, labels)

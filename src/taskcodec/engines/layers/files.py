"""A layer of a store as files in a folder: FOLDER/ID for each sample, whatever its id is."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from taskcodec.errors import CorruptFileError, StorageError, UsageError
from taskcodec.names import file_of_name
from taskcodec.store import Store
from taskcodec.store.file_layers.layer import StoreLayer
from taskcodec.store.format.manifest import CODEC_KEY, GROUP_KEY
from taskcodec.store.format.records import in_pieces
from taskcodec.store.pictures.layer import PictureLayer
from taskcodec.store.values.layer import ValueLayer

Progress = Callable[[int, int], None]
_MOST_BYTES = 255
"""Of a name, as file systems take it; the name that a file has while it is written is short, whatever its own is."""
_MOST_OF_SUFFIX = 16
"""Bytes that may be what kind of file it is, with the dot: what is longer is a part of the name."""


@dataclass(frozen=True)
class Written:
    """What was written of a layer.

    Attributes:
        files: how many.
        without: ids of the samples of the source of which the layer has nothing.
        renamed: of files that cannot have the name that their sample's id says: the id, and the name they got.
        damaged: of samples whose file is damaged in the store, and not written: the id, and the fault in words.
    """

    files: int
    without: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    damaged: tuple[tuple[str, str], ...]


class FileNames:
    """Names of files below a folder, from ids that may be anything: none leaves it, and no two are the same.

    What would climb (`..`), start at the root, or mean nothing is left out or replaced; a name that is taken, by a file
    or by a folder of others, gets #2, #3, ... One that is too long is shortened before its suffix.
    """

    def __init__(self) -> None:
        self._files, self._folders = set[str](), set[str]()

    def give(self, name: str, suffix: str = "") -> PurePosixPath:
        """The relative path for an id."""
        *above, last = [_plain(part) for part in name.split("/") if part not in ("", ".")] or ["_"]
        folders = [_short(part) for part in above]
        if any(str(folder) in self._files for folder in PurePosixPath(*folders, last).parents):
            folders, last = [], "_".join([*folders, last])
        found, number = PurePosixPath(*folders, _short(last, suffix)), 2
        while str(found) in self._files or str(found) in self._folders:
            found, number = PurePosixPath(*folders, _short(last, f"#{number}{suffix}")), number + 1
        self._files.add(str(found))
        self._folders.update(map(str, found.parents))
        return found


def write_files(
    store: Store, layer: StoreLayer | PictureLayer | ValueLayer, folder: Path, progress: Progress | None = None
) -> Written:
    """Write the files of a layer of a store into a new or empty folder, also of samples that could not be coded.

    A file that is damaged in the store is left out, and what is returned says so: the others are written.

    Raises:
        UsageError: the folder is not empty or lies in a store.
        StorageError: a file cannot be written.
        CorruptFileError: what says which samples there are is damaged.
    """
    names, written, done = FileNames(), 0, 0
    without, renamed, damaged = list[str](), list[tuple[str, str]](), list[tuple[str, str]]()
    _check_folder(folder)
    for table in in_pieces(store.tables("id", "source_index", failures=True)):
        samples, indices = (column.to_pylist() for column in table)
        for sample, content in zip(samples, layer.of_sources(indices), strict=True):
            if content is None:
                without.append(sample)
            else:
                wanted = file_of_name(sample)
                given = names.give(wanted, layer.suffix)  # also of a damaged one: no other file takes its name
                if isinstance(content, CorruptFileError):
                    damaged.append((sample, str(content)))
                else:
                    _write(folder / given, content)
                    written += 1
                    if str(given) != wanted + layer.suffix:
                        renamed.append((sample, str(given)))
            done += 1
            if progress is not None:
                progress(done, store.source_samples)
    return Written(written, tuple(without), tuple(renamed), tuple(damaged))


def _plain(part: str) -> str:
    """A folder's or file's name that is no other thing."""
    return "_" if part == ".." else part.replace("\0", "_")


def _short(part: str, more: str = "") -> str:
    """A name with more behind it, in as many bytes as a name may have; what is kept of its end is its suffix."""
    data = os.fsencode(part)
    if len(data) + len(more) <= _MOST_BYTES:
        return part + more
    _, suffix = os.path.splitext(part)
    own = suffix if len(os.fsencode(suffix)) <= _MOST_OF_SUFFIX else ""
    end = f"~{hashlib.sha256(data).hexdigest()[:8]}{own}{more}"
    return data[: _MOST_BYTES - len(os.fsencode(end))].decode("utf-8", "ignore") + end


def _check_folder(folder: Path) -> None:
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / CODEC_KEY).exists() and (above / GROUP_KEY).exists():
            raise UsageError(f"{folder}: lies in the store {above}; name a folder outside it")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: exists and is no empty folder; name a new one")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error

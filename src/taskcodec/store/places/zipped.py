"""A store in a zip file, which is read, or written anew as a whole."""

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taskcodec.atomic import replacing
from taskcodec.errors import CorruptFileError, SourceError, StorageError
from taskcodec.store.places.folder import FolderBlobs


@contextmanager
def _naming_damage(what: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise CorruptFileError(f"{what} ({error})") from error


class ZipBlobs:
    """A zip file, read only, or written anew as a whole; see `pack_zip`."""

    def __init__(self, path: Path) -> None:
        self.name, self._path, self._process = str(path), path.absolute(), -1
        self._opened: zipfile.ZipFile | None = None
        with _naming_damage(f"{path}: not a whole zip file"):
            self.keys = set(self._archive.namelist())

    @property
    def _archive(self) -> zipfile.ZipFile:
        """Opened once in each process: after a fork, parent and child would move one another's place in the file."""
        if self._opened is None or self._process != os.getpid():
            self._process, self._opened = os.getpid(), zipfile.ZipFile(self._path)
        return self._opened

    def get(self, key: str) -> bytes | None:
        if key not in self.keys:
            return None
        with _naming_damage(f"{self.name}: {key} is damaged"):
            info = self._archive.getinfo(key)
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise CorruptFileError(f"{self.name}: {key} is not stored as taskcodec stores it")
            return self._archive.read(key)

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        if key not in self.keys:
            return None
        with _naming_damage(f"{self.name}: {key} is damaged"):
            size = self._archive.getinfo(key).file_size
            with self._archive.open(key) as file:  # stored as they are: the place is found without reading up to it
                file.seek(start if start >= 0 else max(size + start, 0))
                return file.read(length)

    def repack(self, changes: Mapping[str, bytes | None]) -> None:
        """Replace the file by one with other bytes at some keys, and without those that get None.

        It is the zip file that a folder with these changes would be packed to. Raises CorruptFileError where it is
        damaged.
        """
        content = {key: changes.get(key) for key in self.keys | changes.keys() if changes.get(key, b"") is not None}
        try:
            _pack(self._path, content, self)
        finally:
            self.close()
        self.keys = set(content)

    def put(self, key: str, data: bytes) -> None:
        raise StorageError(f"{self.name}: a zip file is not written in place; encode to a folder, then pack it")

    def sizes(self, folder: str = "") -> dict[str, int]:
        below = f"{folder}/" if folder else ""
        return {info.filename: info.file_size for info in self._archive.infolist() if info.filename.startswith(below)}

    def delete(self, key: str) -> None:
        raise StorageError(f"{self.name}: a zip file is not written in place")

    def close(self) -> None:
        if self._opened is not None and self._process == os.getpid():
            self._opened.close()
        self._opened = None

    def __reduce__(self) -> tuple[Any, ...]:
        return ZipBlobs, (self._path,)


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip file. Raises SourceError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error


def pack_zip(folder: str | Path, path: str | Path) -> None:
    """Pack a finished store's folder into one zip file, uncompressed, replacing `path` atomically."""
    blobs = FolderBlobs(Path(folder))
    _pack(path, dict.fromkeys(blobs.sizes()), blobs)


def _pack(path: str | Path, content: Mapping[str, bytes | None], blobs: FolderBlobs | ZipBlobs) -> None:
    """Write bytes by their keys; those that are None are what `blobs` has there."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for key, data in sorted(content.items()):
            # A fixed date: the same store packs to the same bytes.
            info = zipfile.ZipInfo(key, (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, (blobs.get(key) or b"") if data is None else data)

"""Key-value access to where a store lies: a folder, a zip file, an fsspec URL, or a Zarr store object.

Keys are POSIX paths below the store's root. `put` is atomic: readers see the old bytes or the new ones.
"""

import errno
import fcntl
import os
import zipfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from taskcodec.atomic import replacing
from taskcodec.errors import CorruptFileError, ForeignFileError, SourceError, StorageError, UsageError, check_kind

if TYPE_CHECKING:  # zarr and fsspec take longer to import than a folder to read
    from zarr.abc.store import Store as ZarrStore
    from zarr.core.buffer import BufferPrototype

Found = TypeVar("Found")


class Blobs(Protocol):
    """What the reader and the writer need of a place."""

    name: str

    def get(self, key: str) -> bytes | None:
        """The bytes at a key, or None."""

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """`length` bytes from `start` on, fewer where the key ends before them; None where there is no such key.

        A negative `start` counts from the end, as in a slice: the last bytes are read without asking for the size.
        """

    def put(self, key: str, data: bytes) -> None:
        """Replace the bytes at a key, atomically."""

    def sizes(self) -> dict[str, int]:
        """Every key and its size in bytes as stored."""

    def delete(self, key: str) -> None:
        """Remove a key that exists."""

    def close(self) -> None:
        """Let go of what is open; it is opened again where it is needed."""


class FolderBlobs:
    """A local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # the same place wherever this process goes
        self.name = str(root)

    def get(self, key: str) -> bytes | None:
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{self.name}/{key}: cannot be read ({error.strerror})") from error

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        try:
            with open(self.root / key, "rb") as file:
                file.seek(start if start >= 0 else max(os.fstat(file.fileno()).st_size + start, 0))
                return file.read(length)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{self.name}/{key}: cannot be read ({error.strerror})") from error

    def put(self, key: str, data: bytes) -> None:
        path = self.root / key
        temporary = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StorageError(
                f"{self.name}/{key}: cannot be written ({error.strerror}); what was written before is kept: "
                "make room or fix the permission, then run the same command again"
            ) from error

    def sizes(self) -> dict[str, int]:
        files = (p for p in self.root.rglob("*") if p.is_file() and p.name != ".lock")
        return {p.relative_to(self.root).as_posix(): p.stat().st_size for p in files}

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)

    def close(self) -> None: ...


@contextmanager
def _naming_damage(what: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise CorruptFileError(f"{what} ({error})") from error


class ZipBlobs:
    """A zip file, read only; see `pack_zip`."""

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

    def put(self, key: str, data: bytes) -> None:
        raise StorageError(f"{self.name}: a zip file is not written in place; encode to a folder, then pack it")

    def sizes(self) -> dict[str, int]:
        return {info.filename: info.file_size for info in self._archive.infolist()}

    def delete(self, key: str) -> None:
        raise StorageError(f"{self.name}: a zip file is not written in place")

    def close(self) -> None:
        if self._opened is not None and self._process == os.getpid():
            self._opened.close()
        self._opened = None

    def __reduce__(self) -> tuple[Any, ...]:
        return ZipBlobs, (self._path,)


class FsspecBlobs:
    """Any fsspec URL (memory://, s3://, ...)."""

    def __init__(self, url: str) -> None:
        import fsspec

        self.name = url.rstrip("/")
        try:
            self.filesystem, self.root = fsspec.core.url_to_fs(self.name)
        except (ImportError, ValueError) as error:
            raise SourceError(f"{url}: {error}") from error

    def get(self, key: str) -> bytes | None:
        try:
            return bytes(self.filesystem.cat_file(f"{self.root}/{key}"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{self.name}/{key}: cannot be read ({error})") from error

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        try:
            path = f"{self.root}/{key}"
            if start < 0:
                start = max(self.filesystem.size(path) + start, 0)
            return bytes(self.filesystem.cat_file(path, start=start, end=start + length))
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # how a range that begins behind the end is refused
                return b""
            raise SourceError(f"{self.name}/{key}: cannot be read ({error})") from error

    def put(self, key: str, data: bytes) -> None:
        path = f"{self.root}/{key}"
        try:
            self.filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self.filesystem.pipe_file(path, data)
        except OSError as error:
            raise StorageError(f"{self.name}/{key}: cannot be written ({error}); run the same command again") from error

    def sizes(self) -> dict[str, int]:
        found = self.filesystem.find(self.root, detail=True)
        root = self.filesystem._strip_protocol(self.root)
        return {path[len(root) :].lstrip("/"): int(entry["size"]) for path, entry in found.items()}

    def delete(self, key: str) -> None:
        self.filesystem.rm_file(f"{self.root}/{key}")

    def close(self) -> None: ...


class ZarrBlobs:
    """A Zarr store object, such as `zarr.storage.MemoryStore()`."""

    def __init__(self, store: "ZarrStore") -> None:
        from zarr.storage import StorePath

        self.store = _done(StorePath.open(store, path="", mode=None)).store  # some are not opened until asked
        self.name = str(store)

    def get(self, key: str) -> bytes | None:
        found = _done(self.store.get(key, prototype=_prototype()))
        return None if found is None else found.to_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        from zarr.abc.store import RangeByteRequest, SuffixByteRequest

        wanted = RangeByteRequest(start, start + length) if start >= 0 else SuffixByteRequest(-start)
        found = _done(self.store.get(key, prototype=_prototype(), byte_range=wanted))
        return None if found is None else found.to_bytes()[:length]

    def put(self, key: str, data: bytes) -> None:
        _done(self.store.set(key, _prototype().buffer.from_bytes(data)))

    def sizes(self) -> dict[str, int]:
        async def collect() -> dict[str, int]:
            return {key: await self.store.getsize(key) async for key in self.store.list()}

        return _done(collect())

    def delete(self, key: str) -> None:
        _done(self.store.delete(key))

    def close(self) -> None: ...  # whoever made the store closes it


def _done(work: Coroutine[Any, Any, Found]) -> Found:
    from zarr.core.sync import sync

    return sync(work)


def _prototype() -> "BufferPrototype":
    from zarr.core.buffer import default_buffer_prototype

    return default_buffer_prototype()


def open_blobs(place: Any) -> Blobs:
    """The place a path, URL or Zarr store names. It need not exist yet."""
    if not isinstance(place, str | os.PathLike) and _is_zarr_store(place):
        return ZarrBlobs(place)
    if isinstance(place, str) and "://" in place:
        return FsspecBlobs(place)
    check_kind("a place", place, (str, os.PathLike), "a folder, .zip or URL by name, or a Zarr store object")
    if place == "":
        raise UsageError("an empty name cannot be a place of a store (the current folder is `.`)")
    path = Path(place)
    if not path.is_file():
        return FolderBlobs(path)
    if not is_zip(path):
        raise ForeignFileError(f"{path}: not a taskcodec store (neither a folder nor a zip file)")
    return ZipBlobs(path)


def _is_zarr_store(place: Any) -> bool:
    from zarr.abc.store import Store as ZarrStore

    return isinstance(place, ZarrStore)


def absolute(place: Any) -> Any:
    """A place that means the same in a process that is in another folder."""
    local = isinstance(place, str | Path) and "://" not in str(place)
    return Path(place).absolute() if local else place


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip file. Raises SourceError where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error


@contextmanager
def writer_lock(blobs: Blobs) -> Iterator[None]:
    """Hold a folder for one writer; the lock falls with the process. Elsewhere the caller must see to it."""
    if not isinstance(blobs, FolderBlobs):
        yield
        return
    with folder_lock(blobs.root, f"{blobs.name}: another process is writing this store"):
        yield


@contextmanager
def folder_lock(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder, which is made where it is not there. Raises StorageError: `busy` where another process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 (held open for as long as the lock)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StorageError(busy) from error
        try:
            yield
        finally:
            (folder / ".lock").unlink(missing_ok=True)


def pack_zip(folder: str | Path, path: str | Path) -> None:
    """Pack a finished store's folder into one zip file, uncompressed, replacing `path` atomically."""
    blobs = FolderBlobs(Path(folder))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for key in sorted(blobs.sizes()):
            # A fixed date: the same store packs to the same bytes.
            archive.writestr(zipfile.ZipInfo(key, (1980, 1, 1, 0, 0, 0)), blobs.get(key) or b"")

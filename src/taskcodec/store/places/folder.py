"""A store in a folder of this machine."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from taskcodec.errors import SourceError, StorageError
from taskcodec.store.places.blobs import LOCK_KEY


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
        # A name of its own: a worker that is thought to be lost may put the same chunk at the same time.
        temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.partial")
        try:
            with _new_file(temporary) as file:
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

    def sizes(self, folder: str = "") -> dict[str, int]:
        files = (p for p in (self.root / folder).rglob("*") if p.is_file() and p.name != LOCK_KEY)
        return {p.relative_to(self.root).as_posix(): p.stat().st_size for p in files}

    def delete(self, key: str) -> None:
        """Remove it, and the folders that held nothing else."""
        path = self.root / key
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or not _removed(folder):
                return

    def close(self) -> None: ...


def _new_file(path: Path) -> BinaryIO:
    """A file in a folder that is made where it is not there, also where it is being removed as an empty one."""
    for _ in range(9):
        with suppress(FileNotFoundError):
            path.parent.mkdir(parents=True, exist_ok=True)
            return open(path, "wb")
    return open(path, "wb")


def _removed(folder: Path) -> bool:
    """Whether a folder was empty, and is no more."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def folder_lock(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder, which is made where it is not there. Raises StorageError: `busy` where another process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK_KEY, "w")  # noqa: SIM115 (held open for as long as the lock)
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
            (folder / LOCK_KEY).unlink(missing_ok=True)

"""Whole files or none: what is written gets its name only when it is complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taskcodec.errors import StorageError, check_kind


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside `path` to write to; it replaces `path` where all went well and is removed where not.

    Raises StorageError, naming the file, where the disk is full or the place cannot be written, and UsageError where it
    is not named.
    """
    check_kind("the file to write", path, (str, os.PathLike), "named")
    target = Path(os.path.realpath(path))  # where `path` is a link, what it leads to is replaced
    temporary = target.with_name(f".{target.name}.partial")
    try:
        if not target.parent.exists():
            raise StorageError(f"{path}: cannot be written: there is no folder {target.parent}; make it first")
        if target.exists() and not target.is_file():
            raise StorageError(f"{path}: cannot be written (a folder or a device, not a file)")
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise StorageError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise

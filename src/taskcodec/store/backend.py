"""Where a store lies: a folder, a zip file, a URL, or a Zarr store object. Keys are POSIX paths below its root.

Zarr and fsspec take longer to import than a folder to read: they are only where a place is one of theirs.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskcodec.errors import ForeignFileError, UsageError, check_kind
from taskcodec.store.places.blobs import Blobs
from taskcodec.store.places.folder import FolderBlobs, folder_lock
from taskcodec.store.places.lock import writer_lock
from taskcodec.store.places.zipped import ZipBlobs, is_zip, pack_zip

_HERE = ("file://", "local://")


def open_blobs(place: Any) -> Blobs:
    """The place a path, URL or Zarr store names. It need not exist yet."""
    place = local_path(place)
    if not isinstance(place, str | os.PathLike) and _is_zarr_store(place):
        from taskcodec.store.places.zarr_object import ZarrBlobs

        return ZarrBlobs(place)
    if is_url(place):
        from taskcodec.store.places.remote import RemoteBlobs

        return RemoteBlobs(place)
    check_kind("a place", place, (str, os.PathLike), "a folder, .zip or URL by name, or a Zarr store object")
    if place == "":
        raise UsageError("an empty name cannot be a place of a store (the current folder is `.`)")
    path = Path(place)
    if not path.is_file():
        return FolderBlobs(path)
    if not is_zip(path):
        raise ForeignFileError(f"{path}: not a taskcodec store (neither a folder nor a zip file)")
    return ZipBlobs(path)


def change(blobs: Blobs, changes: Mapping[str, bytes | None]) -> None:
    """Put other bytes at some keys, one after the other, and remove those that get None; a zip file is written anew."""
    if isinstance(blobs, ZipBlobs):
        blobs.repack(changes)
        return
    for key, data in changes.items():
        if data is None:
            blobs.delete(key)
        else:
            blobs.put(key, data)


def is_url(place: object) -> bool:
    """Whether a place is named by a URL."""
    return isinstance(place, str) and "://" in place


def local_path(place: Any) -> Any:
    """A place of this machine that is named by a URL (file://...) as its path; anything else as it is."""
    if isinstance(place, str) and place.startswith(_HERE):
        return place.partition("://")[2]
    return place


def absolute(place: Any) -> Any:
    """A place that means the same in a process that is in another folder."""
    place = local_path(place)
    local = isinstance(place, str | Path) and not is_url(place)
    return Path(place).absolute() if local else place


def _is_zarr_store(place: Any) -> bool:
    from zarr.abc.store import Store as ZarrStore

    return isinstance(place, ZarrStore)


__all__ = [
    "Blobs",
    "FolderBlobs",
    "ZipBlobs",
    "absolute",
    "change",
    "folder_lock",
    "is_url",
    "is_zip",
    "local_path",
    "open_blobs",
    "pack_zip",
    "writer_lock",
]

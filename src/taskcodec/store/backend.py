"""Where a store lies: a folder, a zip file, a URL, or a Zarr store object. Keys are POSIX paths below its root."""

from pathlib import Path
from typing import Any

from zarr.abc.store import Store as ZarrStore

from taskcodec.errors import ForeignFileError, UsageError
from taskcodec.store.places.blobs import Blobs
from taskcodec.store.places.clients import is_url, local_path
from taskcodec.store.places.folder import FolderBlobs, folder_lock
from taskcodec.store.places.lock import writer_lock
from taskcodec.store.places.remote import RemoteBlobs
from taskcodec.store.places.zarr_object import ZarrBlobs
from taskcodec.store.places.zipped import ZipBlobs, is_zip, pack_zip


def open_blobs(place: Any) -> Blobs:
    """The place a path, URL or Zarr store names. It need not exist yet."""
    place = local_path(place)
    if isinstance(place, ZarrStore):
        return ZarrBlobs(place)
    if is_url(place):
        return RemoteBlobs(place)
    if place == "":
        raise UsageError("an empty name cannot be a place of a store (the current folder is `.`)")
    path = Path(place)
    if not path.is_file():
        return FolderBlobs(path)
    if not is_zip(path):
        raise ForeignFileError(f"{path}: not a taskcodec store (neither a folder nor a zip file)")
    return ZipBlobs(path)


def absolute(place: Any) -> Any:
    """A place that means the same in a process that is in another folder."""
    place = local_path(place)
    local = isinstance(place, str | Path) and not is_url(place)
    return Path(place).absolute() if local else place


__all__ = [
    "Blobs",
    "FolderBlobs",
    "ZarrBlobs",
    "ZipBlobs",
    "absolute",
    "folder_lock",
    "is_url",
    "is_zip",
    "local_path",
    "open_blobs",
    "pack_zip",
    "writer_lock",
]

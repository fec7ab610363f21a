"""Where `encode` writes: what lies there, whether it may be replaced, and doing so only once the new is whole."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from taskcodec.errors import SourceError, StorageError, TaskcodecError, UsageError
from taskcodec.store import Store
from taskcodec.store.backend import FolderBlobs, ZipBlobs, is_url, local_path, open_blobs, writer_lock
from taskcodec.store.format.manifest import CODEC_KEY, GROUP_KEY

OWN = (GROUP_KEY, CODEC_KEY, "codes/", "layers/", "samples/")


COPIES = 16
"""Requests at once, where many objects are copied or removed."""


def settled(place: Any) -> Any:
    """The one name of a place, however it was typed, which other names beside it can be made of.

    Links are followed, so that what is written beside a store lies where the store itself does. Zarr stores have no
    name, and stay what they are.
    """
    place = local_path(place)
    if is_url(place):
        return place if place.endswith("://") else place.rstrip("/")
    if not isinstance(place, str | Path):
        return place
    path = Path(place)  # without slashes at its end and dots between
    return os.path.realpath(path) if path.name in ("", "..") or path.is_symlink() else str(path)


def is_zipped(place: Any) -> bool:
    """Whether a store of this name is one zip file. Raises UsageError on a URL: those are written file by file."""
    zipped = isinstance(place, str) and place.lower().endswith(".zip")
    if zipped and is_url(local_path(place)):
        raise UsageError(f"{place}: a zip file is written to a folder of this machine, not to a URL; copy it there")
    return zipped


def stored_at(place: Any) -> Store | None:
    """The store at a place, or None where there is none (yet)."""
    return None if open_blobs(place).get(GROUP_KEY) is None else Store(place)


def finished_store(place: Any) -> Store:
    """The store at a place. Raises SourceError where its encode was stopped, and what `Store` raises."""
    store = Store(place)
    if store.manifest.state != "complete":
        raise SourceError(f"{place}: unfinished; run the same encode command again to resume it")
    return store


def place_of_the_new(store: Any, goes_on: Callable[[Store], bool]) -> Any:
    """Where to write a store that is to replace what lies at `store`, as `settled`: a place beside it, to be swapped.

    It is `store` itself where nothing lies there, where an unfinished one goes on, and where places have no names
    (Zarr stores). Raises StorageError where what lies there is no store: that is never replaced.
    """
    found = _replaceable(store)
    partial = f"{store}.partial"
    if not isinstance(store, str):
        return store
    if found is None and not _lies_at(partial) and not is_zipped(store):
        return store
    if found is not None and found.manifest.state == "writing" and goes_on(found):
        return store
    if not is_url(store):
        _is_folder_of_ours(_aside(store))  # what is in the way there is told before anything is encoded
    return partial


def _lies_at(place: str) -> bool:
    return bool(open_blobs(place).sizes()) if is_url(place) else os.path.lexists(place)


def _aside(store: str) -> Path:
    return Path(f"{os.path.realpath(store)}.replaced")


def put_in_place(new: str, store: str) -> None:
    """Give a finished store (folder, zip file or URL) its name; what had that name goes only then.

    Raises StorageError where that fails; what had the name has it still, but for URLs (see `_move`).
    """
    if is_url(store):
        _move(new, store)
        return
    target, aside = Path(os.path.realpath(store)), _aside(store)
    try:
        if not os.path.lexists(target):
            os.replace(new, target)
        elif target.is_dir():
            with writer_lock(open_blobs(target)):
                _swap(new, target, aside)
        else:
            _swap(new, target, aside)
    except OSError as error:
        raise StorageError(
            f"{store}: cannot be replaced ({error.strerror}), and is as it was; the new store is {new}"
        ) from error
    _remove_remains(aside)


def _move(new: str, store: str) -> None:
    """Objects have no names to swap: copy each, on the side of the service, and commit.

    Meanwhile no store is found at `store`, and the new one is whole at `new`: a run that is stopped is gone on with
    by the same command. Raises StorageError.
    """
    from taskcodec.store.places.remote import RemoteBlobs

    target, fresh = open_blobs(store), open_blobs(new)
    assert isinstance(target, RemoteBlobs)
    assert isinstance(fresh, RemoteBlobs)
    with writer_lock(target):
        manifest, keys = fresh.get(GROUP_KEY), [key for key in fresh.sizes() if key != GROUP_KEY]
        if manifest is None:
            raise StorageError(f"{new}: gone while it was to be given its name; run the same command again")
        old = set(target.sizes())
        if GROUP_KEY in old:
            target.delete(GROUP_KEY)  # its chunks are written over: whoever reads is to be told
        target.get(GROUP_KEY)
        with ThreadPoolExecutor(COPIES) as pool:
            list(pool.map(lambda key: target.copy_from(fresh, key), keys))
            list(pool.map(target.delete, old - {GROUP_KEY, *keys}))
        target.put(GROUP_KEY, manifest)
    remove_store(new)


def _swap(new: str, target: Path, aside: Path) -> None:
    _remove_remains(aside)
    os.rename(target, aside)
    try:
        os.replace(new, target)
    except BaseException:
        os.rename(aside, target)
        raise


def _remove_remains(aside: Path) -> None:
    """Remove what was replaced, also where a kill left only a part of it. Raises StorageError on anything else."""
    if _is_folder_of_ours(aside):
        shutil.rmtree(aside)
    elif os.path.lexists(aside):
        remove_store(str(aside))


def _is_folder_of_ours(aside: Path) -> bool:
    if not aside.is_dir() or aside.is_symlink():
        return False
    if (foreign := _foreign(str(aside))) is not None:
        raise StorageError(f"{aside}: {foreign} in it does not belong to a store: move it away, then try again")
    return True


def remove_store(place: Any) -> None:
    """Remove a store, and only a store. Raises StorageError where it is none."""
    if _replaceable(place) is None:
        return
    blobs = open_blobs(place)
    if isinstance(blobs, ZipBlobs):
        Path(place).unlink()
    elif isinstance(blobs, FolderBlobs):
        with writer_lock(blobs):
            shutil.rmtree(blobs.root)
    else:
        with writer_lock(blobs), ThreadPoolExecutor(COPIES) as pool:
            blobs.delete(GROUP_KEY)  # first: readers then see none
            list(pool.map(blobs.delete, [key for key in blobs.sizes() if key != GROUP_KEY]))


def _replaceable(place: Any) -> Store | None:
    """The store at a place, None where there is nothing. Raises StorageError where something else lies there."""
    try:
        found = stored_at(place)
        foreign = _foreign(place)
    except TaskcodecError as error:
        raise StorageError(
            f"{place}: not a taskcodec store that can be read, so it is not replaced ({error})"
        ) from error
    if foreign is not None:
        raise StorageError(f"{place}: {foreign} in it does not belong to a store, so it is not replaced")
    return found


def _foreign(place: Any) -> str | None:
    """A file in a folder or zip file that no store has, None where there is none."""
    keys = (key for key in open_blobs(place).sizes() if not key.startswith(OWN) and not key.endswith(".partial"))
    return next(keys, None)

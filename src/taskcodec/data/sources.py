"""Sources: a folder of images or IDX files, a list of images, zip or tar shards, or an array of features.

A source is an ordered sequence of items. Opening one reads names and sizes only. Whatever lies in it is an item, also
what turns out to be no image: it gets a record with the reason, so that every file is accounted for.
"""

import glob
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from taskcodec.data.arrays import FeatureSource, open_npy, open_parquet
from taskcodec.data.idx import idx_items, is_idx_folder
from taskcodec.data.items import ImageSource, Item, distinct, faulty, file_item, labelled_by_folders
from taskcodec.data.shards import SHARDS, shard_items
from taskcodec.errors import SourceError, UsageError

Source = ImageSource | FeatureSource
_STORE_FILE = "zarr.json"
_IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jp2")


def open_source(place: str | Path) -> Source:
    """Open a folder, list, shard, glob of shards, .npy or .parquet. Raises SourceError."""
    text = str(place)
    if not text:
        raise UsageError("an empty name is no source (the current folder is `.`)")
    path = Path(place)
    if any(letter in text for letter in "*?[") and not os.path.lexists(path):
        found = sorted(glob.glob(text))
        if not found:
            raise SourceError(f"{text}: no file matches")
        if not all(name.lower().endswith(SHARDS) for name in found):
            raise SourceError(f"{text}: a pattern names shards ({', '.join(SHARDS)}), found {found[0]}")
        return ImageSource(text, shard_items(text, [Path(name) for name in found]))
    if not os.path.lexists(path):
        raise SourceError(f"{text}: no such file or folder")
    lower = path.name.lower()
    try:
        if path.is_dir():
            return _idx_folder(path) or _shard_folder(path) or _folder(path)
        if lower.endswith(SHARDS):
            return ImageSource(text, shard_items(text, [path]))
        if lower.endswith(".npy"):
            return open_npy(path)
        if lower.endswith(".parquet"):
            return open_parquet(path)
        if lower.endswith((".txt", ".lst", ".list")):
            return _list(path)
    except OSError as error:
        raise SourceError(f"{text}: cannot be read ({error.strerror or error})") from error
    raise SourceError(
        f"{text}: not a source: expected a folder of images, a list (.txt), shards (.zip, .tar), .npy or .parquet"
    )


def _idx_folder(root: Path) -> ImageSource | None:
    return ImageSource(str(root), idx_items(root)) if is_idx_folder(root) else None


def _shard_folder(root: Path) -> ImageSource | None:
    """A folder of shards, or None: an archive that lies among images or folders does not make it one."""
    entries = sorted(root.iterdir())
    shards = [entry for entry in entries if entry.name.lower().endswith(SHARDS) and entry.is_file()]
    others = [entry for entry in entries if entry not in set(shards)]
    if not shards or any(entry.is_dir() or entry.name.lower().endswith(_IMAGES) for entry in others):
        return None
    beside = [faulty(entry.name, "beside the shards, not one of them") for entry in others]
    return ImageSource(str(root), distinct([*shard_items(str(root), shards), *beside]))


def _folder(root: Path) -> ImageSource:
    if (root / _STORE_FILE).exists():
        raise SourceError(f"{root}: a store already, not a folder of images; `taskcodec decode` gives its features")
    items: list[Item] = []
    seen: set[tuple[int, int]] = set()
    # Real folders first, links to folders after them, so that files get the name where they lie.
    waiting, links = [(str(root), "")], list[tuple[str, str]]()
    while waiting or links:
        folder, relative = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                items.append(faulty(relative, "a link to a folder that is read already"))
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            items.append(faulty(relative or ".", f"folder cannot be read ({error.strerror})"))
            continue
        if relative and any(entry.name == _STORE_FILE for entry in found):
            continue  # a store, perhaps the one being written now: no part of its own source
        for entry in found:
            name = f"{relative}/{entry.name}" if relative else entry.name
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False  # a link that loops: file_item tells its fault
            if is_folder:
                (links if entry.is_symlink() else waiting).append((entry.path, name))
            elif entry.name.lower().endswith(SHARDS):
                items.append(faulty(name, "a shard among images: encode it by its own name"))
            else:
                items.append(file_item(entry.path, name))
    if not items:
        raise SourceError(f"{root}: an empty folder")
    return ImageSource(str(root), labelled_by_folders(sorted(items, key=lambda item: item.id)))


def _list(path: Path) -> ImageSource:
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    names = [line.rstrip("\r") for line in data.decode(encoding, errors="surrogateescape").split("\n")]
    names = [name for name in names if name.strip()]
    if not names:
        raise SourceError(f"{path}: an empty list of images")
    items = distinct([file_item(os.path.join(path.parent, name), name) for name in names])
    return ImageSource(str(path), labelled_by_folders(items))


__all__ = ["FeatureSource", "ImageSource", "Item", "Source", "open_source"]

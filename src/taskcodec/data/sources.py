"""Sources: a folder of images or IDX files, a list of images, zip or tar shards, or an array of features.

A source is an ordered sequence of items. Opening one reads names and sizes only. Whatever lies in it is an item, also
what turns out to be no image: it gets a record with the reason, so that every file is accounted for.
"""

import glob
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from taskcodec.data.arrays import FeatureSource, open_npy, open_parquet
from taskcodec.data.folders import STORE_FILE, Tree, walk
from taskcodec.data.idx import idx_items, is_idx_folder
from taskcodec.data.items import ImageSource, Item, distinct, faulty, file_item, labelled_by_folders
from taskcodec.data.left_behind import told
from taskcodec.data.shards import SHARDS, shard_items
from taskcodec.errors import SourceError, UsageError

Source = ImageSource | FeatureSource
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
        return _shards(text, [Path(name) for name in found])
    if not os.path.lexists(path):
        raise SourceError(f"{text}: no such file or folder")
    lower = path.name.lower()
    try:
        if path.is_dir():
            tree = walk(path)
            return _idx_folder(path, tree) or _shard_folder(path, tree) or _folder(path, tree)
        if lower.endswith(SHARDS):
            return _shards(text, [path])
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


def _shards(name: str, paths: list[Path]) -> ImageSource:
    items, skipped = shard_items(name, paths)
    return ImageSource(name, items, skipped=skipped)


def _idx_folder(root: Path, tree: Tree) -> ImageSource | None:
    return ImageSource(str(root), idx_items(root), skipped=tree.skipped) if is_idx_folder(root) else None


def _shard_folder(root: Path, tree: Tree) -> ImageSource | None:
    """A folder of shards, or None: an archive that lies among images or folders does not make it one."""
    shards = [Path(path) for name, path in tree.files.items() if name.lower().endswith(SHARDS)]
    others = [name for name in tree.files if not name.lower().endswith(SHARDS)]
    if not shards or any("/" in name or name.lower().endswith(_IMAGES) for name in tree.files):
        return None
    beside = [faulty(name, "beside the shards, not one of them") for name in others]
    found = _shards(str(root), shards)
    items = distinct([*found.items, *beside, *tree.faults])
    return ImageSource(str(root), items, skipped={**found.skipped, **tree.skipped})


def _folder(root: Path, tree: Tree) -> ImageSource:
    if (root / STORE_FILE).exists():
        raise SourceError(f"{root}: a store already, not a folder of images; `taskcodec decode` gives its features")
    items = [_file_of_folder(path, name) for name, path in tree.files.items()] + tree.faults
    if not items:
        raise SourceError(f"{root}: an empty folder" + (f" but for {told(tree.skipped)}" if tree.skipped else ""))
    labelled = labelled_by_folders(sorted(items, key=lambda item: item.id))
    return ImageSource(str(root), labelled, skipped=tree.skipped)


def _file_of_folder(path: str, name: str) -> Item:
    if name.lower().endswith(SHARDS):
        return faulty(name, "a shard among images: encode it by its own name")
    return file_item(path, name)


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

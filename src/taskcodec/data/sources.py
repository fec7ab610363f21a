"""Sources: a folder of images or IDX files, a list of images, zip or tar shards, arrays of features, Parquet files.

A source is an ordered sequence of items. Opening one reads names and sizes only. Whatever lies in it is an item, also
what turns out to be no image: it gets a record with the reason, so that every file is accounted for.
"""

import glob
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from taskcodec.data.arrays import FeatureSource
from taskcodec.data.folders import IMAGES, STORE_FILE, Files, Tree, looks_like_image, walk, walk_url
from taskcodec.data.idx import has_idx, idx_files, idx_items
from taskcodec.data.items import ImageSource, Item, distinct, faulty, file_item, labelled_by_folders, remote_item
from taskcodec.data.left_behind import told
from taskcodec.data.remote.files import File, RemoteFile, file_at, found_at, is_web, listed, read_url, remember
from taskcodec.data.shards.source import SHARDS, shard_items
from taskcodec.data.tables import ARRAYS, PARQUET, TABLES, holds_samples, open_table, open_tables
from taskcodec.errors import SourceError, UsageError, as_name, check_kind, unreadable
from taskcodec.names import distinct_names
from taskcodec.store.backend import is_url, local_path

Source = ImageSource | FeatureSource
_LISTS = (".txt", ".lst", ".list")
_NO_SOURCE = "not a source: expected a folder of images, a list (.txt), shards (.zip, .tar), .npy or .parquet"
_A_STORE = "a store already, not a folder of images; `taskcodec decode` gives its features"


def open_source(place: str | Path, truncated: str = "keep") -> Source:
    """Open a folder, a list, a shard, a .npy or .parquet file, or several by a pattern.

    `FILE.parquet:COLUMN` names the column of a Parquet file, of several, or of a folder of them, that holds the
    samples. JPEG files that lack their end are read where most of it is there, with a note, unless `truncated` is
    "skip".

    Raises:
        SourceError: no such source, or one that cannot be read.
        UsageError: an empty name or none, or `truncated` is neither, or "skip" for vectors.
    """
    given = "a folder, an archive, a list of files (.txt), a .npy or .parquet, by name"
    as_name("a source", place, given)
    check_kind("--truncated", truncated, str, "keep or skip")
    if truncated not in ("keep", "skip"):
        raise UsageError(f"--truncated {truncated} is neither keep nor skip")
    source = _open(place)
    if truncated == "keep":
        return source
    if isinstance(source, FeatureSource):
        raise UsageError(f"--truncated is for images; {source.name} holds vectors")
    return replace(source, truncated="skip")


def _open(place: str | Path) -> Source:
    if not str(place):
        raise UsageError("an empty name cannot be a source (the current folder is `.`)")
    place = local_path(place)
    if is_url(place):
        return _open_url(str(place))
    text, column = _column_of(str(place))
    path = Path(text)
    if (found := _matching(text)) is not None:
        if not found:
            raise SourceError(f"{text}: no file matches")
        short = {Path(name).name: name for name in found}
        paths = short if len(short) == len(found) else dict(zip(found, found, strict=True))
        return _several(Files(str(place), paths, column))
    if not os.path.lexists(path):
        raise SourceError(f"{text}: no such file or folder")
    try:
        if path.is_dir():
            return _folder(path, Files(str(place), {}, column))
        if path.name.lower().endswith(_LISTS):
            return _list(path, Files(str(place), {}, column))
        if (source := _file(path, column)) is not None:
            return source
    except OSError as error:
        raise unreadable(text, error) from error
    _refuse_column(str(place), column)
    raise SourceError(f"{text}: {_NO_SOURCE}")


def _file(path: File, column: str | None) -> Source | None:
    """The source that one file is, by its name; None where it is none."""
    lower = path.name.lower()
    if lower.endswith((*SHARDS, ARRAYS)) and column is None:
        return _shards(Files(str(path), {path.name: str(path)})) if lower.endswith(SHARDS) else open_table(path)
    return open_table(path, column) if lower.endswith(PARQUET) else None


def _open_url(place: str) -> Source:
    text, column = _column_of_url(place)
    files, name = Files(place, {}, column), text.rpartition("/")[2]
    if any(letter in name for letter in "*?[") and not is_web(text) and (paths := _matching_urls(text)):
        return _several(replace(files, paths=paths))
    is_named = name.lower().endswith((*_LISTS, *SHARDS, *TABLES))
    if is_web(text) and not is_named and "?" not in text and has_idx(idx := idx_files(text)):
        return ImageSource(text, distinct(idx_items(text, idx, ())))
    file = found_at(text) if is_web(text) or is_named else None
    if file is not None:
        if file.name.lower().endswith(_LISTS):
            return _list(file, files)
        if (source := _file(file, column)) is not None:
            return source
        raise SourceError(f"{text}: {_NO_SOURCE}")
    if is_web(text):
        raise SourceError(
            f"{text}: no such file; an address of the web is read as one file (.npy, .parquet, .zip, .tar or a list), "
            "or as a folder of IDX files, whose names are known: its folders cannot be listed"
        )
    tree = walk_url(text)
    if STORE_FILE in tree.files:
        raise SourceError(f"{text}: {_A_STORE}")
    if not tree.files and not tree.faults and not tree.skipped:
        raise SourceError(f"{text}: no such file or folder: nothing lies under this name")
    if has_idx(tree.files):
        _refuse_column(files.name, files.column)
        here = {name: file_at(file) for name, file in tree.files.items()}
        items = idx_items(text, here, (name.partition("/")[0] for name in here))
        return ImageSource(text, distinct(items), skipped=tree.skipped)
    return _of_tree(text, files, tree)


def _column_of_url(text: str) -> tuple[str, str | None]:
    """A URL and the column named behind it: what follows `.parquet:`."""
    name, _, column = text.rpartition(":")
    return (name, column) if name.lower().endswith(PARQUET) and column else (text, None)


def _matching_urls(text: str) -> dict[str, str]:
    """The files that a pattern in the last part of a URL names, by their names without folders."""
    folder, _, pattern = text.rpartition("/")
    found = {name: file for name, file in listed(folder) if "/" not in name and fnmatchcase(name, pattern)}
    return {name: remember(found[name]).url for name in sorted(found)}


def _column_of(text: str) -> tuple[str, str | None]:
    """A place and the column named behind it, where there is no such place as a whole."""
    name, _, column = text.rpartition(":")
    if not name or not column or os.path.lexists(text) or _matching(text):
        return text, None
    return (name, column) if os.path.lexists(name) or _matching(name) else (text, None)


def _matching(text: str) -> list[str] | None:
    """The files that a pattern names, sorted; None where the text is the name of a file, or no pattern."""
    if not any(letter in text for letter in "*?[") or os.path.lexists(text):
        return None
    return sorted(glob.glob(text))


def _refuse_column(place: str, column: str | None) -> None:
    if column is not None:
        raise SourceError(f"{place}: only Parquet files have columns to name")


def _several(files: Files) -> Source:
    """Files that a pattern or a list names, all of one kind."""
    for kind in (SHARDS, ARRAYS, PARQUET):
        if _all_end(files.paths.values(), kind):
            if kind != PARQUET:
                _refuse_column(files.name, files.column)
            return _shards(files) if kind == SHARDS else open_tables(files)
    names = sorted(files.paths, key=lambda name: name.lower().endswith((*SHARDS, *TABLES)))
    kinds = f"shards ({', '.join(SHARDS)}), or .npy or .parquet files, all of one kind"
    raise SourceError(f"{files.name}: a pattern names {kinds}, found {names[0]} and {names[-1]}")


def _shards(files: Files) -> ImageSource:
    items, skipped = shard_items(files.name, files.paths)
    found = ImageSource(files.name, distinct([*items, *files.beside]), skipped={**skipped, **files.skipped})
    if not all(map(is_url, files.paths.values())):
        return found
    return replace(found, files=tuple(files.paths.values()), marks="\n".join(item.id for item in found.items))


def _folder(root: Path, files: Files) -> Source:
    """A folder of images; or, where no image lies in it, of shards or of rows in files."""
    if (root / STORE_FILE).exists():
        raise SourceError(f"{root}: {_A_STORE}")
    tree = walk(root)
    if has_idx(found := idx_files(root)):
        _refuse_column(files.name, files.column)
        items = idx_items(str(root), found, (entry.name for entry in root.iterdir()))
        return ImageSource(str(root), distinct(items), skipped=tree.skipped)
    return _of_tree(str(root), files, tree)


def _of_tree(root: str, files: Files, tree: Tree) -> Source:
    kinds = _kinds(tree)
    if len(kinds) > 1 and kinds.keys() != {"images", "shards"}:
        found = " and ".join(f"{kind} ({names[0]})" for kind, names in kinds.items())
        raise SourceError(f"{root}: holds {found}: name the files of one kind by a pattern in quotes or a list (.txt)")
    (kind, names), *_ = kinds.items() if kinds else {"images": []}.items()
    if kind == "images":
        _refuse_column(files.name, files.column)
        return _images(root, tree)
    what = "shards" if kind == "shards" else f"{kind} files"
    others = (name for name in tree.files if name not in set(names))
    beside = [faulty(name, f"beside the {what}, not one of them") for name in others]
    paths = {name: _kept(tree.files[name]) for name in names}
    return _several(replace(files, paths=paths, beside=[*beside, *tree.faults], skipped=tree.skipped))


def _kinds(tree: Tree) -> dict[str, list[str]]:
    """The files of each kind in a folder, of those kinds that a source may be made of; images first."""
    kinds = {
        "images": [name for name in tree.files if name.lower().endswith(IMAGES)],
        "shards": [name for name in tree.files if name.lower().endswith(SHARDS)],
        **{kind: [name for name in tree.files if name.lower().endswith(kind)] for kind in TABLES},
    }
    named = set().union(*kinds.values())
    if not kinds["images"] and named:  # they need not have such names
        kinds["images"] = looks_like_image({name: path for name, path in tree.files.items() if name not in named})
    if sum(bool(names) for names in kinds.values()) > 1:
        for kind in TABLES:  # a table of something else beside them makes no second source
            if not any(holds_samples(file_at(tree.files[name])) for name in kinds[kind]):
                kinds[kind] = []
    return {kind: names for kind, names in kinds.items() if names}


def _images(root: str, tree: Tree) -> ImageSource:
    items = [_file_of_folder(path, name) for name, path in tree.files.items()] + tree.faults
    if not items:
        raise SourceError(f"{root}: an empty folder" + (f" but for {told(tree.skipped)}" if tree.skipped else ""))
    labelled = labelled_by_folders(distinct(sorted(items, key=lambda item: item.id)))
    return ImageSource(root, labelled, skipped=tree.skipped)


def _file_of_folder(path: str | RemoteFile, name: str) -> Item:
    if name.lower().endswith(SHARDS):
        return faulty(name, "a shard among images: encode it by its own name")
    return remote_item(path, name) if isinstance(path, RemoteFile) else file_item(path, name)


def _kept(path: str | RemoteFile) -> str:
    """The name that a file is opened by later."""
    return remember(path).url if isinstance(path, RemoteFile) else path


def _list(path: File, files: Files) -> Source:
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    names = [line.rstrip("\r") for line in data.decode(encoding, errors="surrogateescape").split("\n")]
    names = [name for name in names if name.strip()]
    if not names:
        raise SourceError(f"{path}: an empty list of images")
    if any(_all_end(names, kind) for kind in (SHARDS, ARRAYS, PARQUET)):
        known = distinct_names(names)
        paths = {given: _beside(path, name) for given, name in zip(known, names, strict=True)}
        return _several(replace(files, paths=paths))
    _refuse_column(files.name, files.column)
    items = distinct([_listed_item(_beside(path, name), name) for name in names])
    return ImageSource(str(path), labelled_by_folders(items))


def _beside(path: File, name: str) -> str:
    """Where a file lies that a list names: beside it, or elsewhere by a whole path or URL."""
    if is_url(name):
        return name
    return f"{path.url.rpartition('/')[0]}/{name}" if isinstance(path, RemoteFile) else os.path.join(path.parent, name)


def _listed_item(path: str, name: str) -> Item:
    """The item of a file in a list; one under a URL is not looked at before it is read."""
    return Item(name, None, None, partial(read_url, path)) if is_url(path) else file_item(path, name)


def _all_end(names: Iterable[str], ends: str | tuple[str, ...]) -> bool:
    return all(name.lower().endswith(ends) for name in names)


__all__ = ["FeatureSource", "ImageSource", "Item", "Source", "open_source"]

"""Labelled sets for the benchmark: folders of images, and files of features, as the user names them.

    FOLDER/train/CLASS/..., FOLDER/test/CLASS/...   this split is THE split
    FOLDER/CLASS/...                                split into folds by a seed
    FEATURES.npz: features (n, d), labels (n,)      optional: groups (n,), ids (n,), (n,) floats as numbers to regress
    FEATURES.npy, FEATURES.parquet                  labels from a table

A table (CSV) adds tasks to the folder it lies in, or to the only set there is. Large sets are thinned by a seed,
classes in proportion, before any image is decoded. Files are known by the SHA-256 of their bytes, so that copies are
found and results of other images are never mixed with these.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from taskcodec.data import FeatureSource, ImageSource, open_source
from taskcodec.data.items import Item
from taskcodec.data.labels import SPLITS
from taskcodec.data.shards.source import SHARDS
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.tasks.holdout import Splits, Splitting, split_by_folder
from taskcodec.evaluation.tasks.targets import Column, label_columns
from taskcodec.words import counted

Float32s = npt.NDArray[np.float32]
CLASS_TASK = "class"
_GROUPS = ("groups", "house")
_SHOWN = 3
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class LabelFiles:
    """CSV files for tasks and groups, "FILE.csv" or "FILE.csv:COLUMN"."""

    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Opened:
    """A set as it lies there, thinned.

    Attributes:
        name: of the set, in tables and plots.
        place: where it lies.
        ids: (n,) names of its samples.
        columns: for each task a label for each sample, or None.
        kinds: of the tasks, where it is known ("classification", "regression").
        groups: (n,) samples of one value stay together, None for no group; or None.
        digests: (n,) SHA-256 of each file; empty for features.
        read: rows (m,) of the source -> their features (m, d); None for images.
        features: (n, d) where they are given; None for images.
        notes: what was left out, one line each.
    """

    name: str
    place: str
    ids: list[str]
    columns: dict[str, Column]
    kinds: dict[str, str]
    groups: Column | None
    read: Callable[[npt.NDArray[np.intp]], Float32s] | None
    digests: list[str] = field(default_factory=list)
    features: Float32s | None = None
    notes: list[str] = field(default_factory=list)

    def only(self, rows: Sequence[int], **changes: Any) -> Opened:
        """Some of its samples; features, digests and notes change with them."""
        columns: dict[str, Column] = {task: [column[row] for row in rows] for task, column in self.columns.items()}
        groups = None if self.groups is None else [self.groups[row] for row in rows]
        return replace(self, ids=[self.ids[row] for row in rows], columns=columns, groups=groups, **changes)


def set_names(places: Sequence[str]) -> list[str]:
    """A name for each place: its last part, numbered where two are the same. Raises UsageError on one place twice."""
    real = [os.path.realpath(place) for place in places]
    twice = next((place for place, path in zip(places, real, strict=True) if real.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice}: given twice")
    names: list[str] = []
    for path in real:
        plain = Path(path).name if os.path.isdir(path) else Path(path).stem
        name, number = plain, 2
        while name in names:
            name, number = f"{plain} ({number})", number + 1
        names.append(name)
    return names


def open_set(place: str, name: str, tables: LabelFiles, how: Splits, samples: int, *, alone: bool = True) -> Opened:
    """Open one set.

    Args:
        place, name: where it lies, and what to call it.
        tables: those of the whole benchmark.
        how: it will be split, by a seed that is also of the choice of samples.
        samples: the most to keep.
        alone: whether it is the only set, so that tables elsewhere are its own.

    Raises:
        SourceError: there is nothing to read.
        UsageError: no labels.
    """
    if place.lower().endswith(".npz"):
        opened = _open_npz(place, name)
    else:
        source = open_source(place)
        opened = _open_images(source, name, place) if isinstance(source, ImageSource) else _open_rows(source, name)
    labels, groups = (_own_tables(specs, place, alone) for specs in (tables.labels, tables.groups))
    if labels:
        columns: dict[str, Column] = {}
        for spec in labels:
            columns.update(label_columns(spec, opened.ids))
        opened.columns.clear()
        opened.columns.update(columns)
        opened.kinds.clear()
    own_groups = [column for spec in groups for column in label_columns(spec, opened.ids).values()]
    if len(own_groups) > 1:
        raise UsageError(f"--groups: one column for {name}, found {len(own_groups)} (FILE.csv:COLUMN names one)")
    if not any(label is not None for column in opened.columns.values() for label in column):
        raise UsageError(
            f"{place}: no labels: expected {name}/CLASS/... or {name}/train/CLASS/... and {name}/test/CLASS/..., "
            f"or --labels {name}/FILE.csv:COLUMN"
        )
    grouped = replace(opened, groups=own_groups[0]) if own_groups else opened
    return _thinned(grouped, how.split, samples, how.seed)


def class_of(identity: str) -> str | None:
    """The class in a name `[train/]CLASS/.../file`, or None for a file that lies in no class."""
    folders = list(PurePosixPath(identity).parts[:-1])
    while folders and (folders[0].lower() in SPLITS or folders[0].lower().endswith(SHARDS)):
        folders.pop(0)
    return folders[0] if folders else None


def items_of(place: str, ids: Sequence[str]) -> list[Item]:
    """The items of a source of images with these names, in this order."""
    source = open_source(place)
    assert isinstance(source, ImageSource)
    found = {item.id: item for item in source.items}
    lost = [name for name in ids if name not in found]
    if lost:
        raise SourceError(f"{place}: changed while it was measured: {lost[0]} is gone")
    return [found[name] for name in ids]


def digest_of(item: Item) -> str:
    """SHA-256 of a file's bytes; of its fault where it cannot be read."""
    try:
        data = b"" if item.fault is not None else item.read()
        content = data if isinstance(data, bytes | bytearray | memoryview) else Path(data).read_bytes()
    except (OSError, SourceError) as error:
        content = f"unreadable {item.id} {error}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(content).hexdigest()


def choose(keys: Sequence[Any], samples: int, seed: int) -> npt.NDArray[np.intp]:
    """Rows to keep, rising: at most `samples` (but two of each key), keys in proportion, drawn by the seed."""
    if len(keys) <= samples:
        return np.arange(len(keys))
    rng = np.random.default_rng(seed)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    inverse = np.array([numbers[key] for key in keys])
    place = np.empty(len(keys))
    for number in range(len(numbers)):
        rows = rng.permutation(np.flatnonzero(inverse == number))
        share = (np.arange(len(rows)) + rng.random()) / len(rows)
        share[:2] -= 2  # the first two of every class come before all others
        place[rows] = share
    kept = np.argsort(place, kind="stable")[: max(samples, 2 * len(numbers))]
    return np.sort(kept)


def _own_tables(specs: Sequence[str], place: str, alone: bool) -> list[str]:
    """The tables that speak of a set: those inside its folder, or all where it is the only set."""
    folder = os.path.realpath(place)
    return [spec for spec in specs if alone or os.path.realpath(spec).startswith(folder + os.sep)]


def _open_images(source: ImageSource, name: str, place: str) -> Opened:
    ids = [item.id for item in source.items]
    classes: Column = [class_of(item.id) or item.label for item in source.items]
    return Opened(name, place, ids, {CLASS_TASK: classes}, {CLASS_TASK: "classification"}, None, None)


def _open_rows(source: FeatureSource, name: str) -> Opened:
    def read(rows: npt.NDArray[np.intp]) -> Float32s:
        starts = range(0, len(source), _BLOCK_ROWS)
        inside = [rows[(rows >= start) & (rows < start + _BLOCK_ROWS)] for start in starts]
        parts = [
            source.block(start, min(start + _BLOCK_ROWS, len(source)))[own - start]
            for start, own in zip(starts, inside, strict=True)
            if len(own)
        ]
        return np.concatenate(parts)

    ids = [source.id_of(row) for row in range(len(source))]
    labels: Column = list(source.labels or [None] * len(ids))
    return Opened(name, source.name, ids, {CLASS_TASK: labels}, {}, None, read)


def _open_npz(place: str, name: str) -> Opened:
    try:
        with np.load(place, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if key != "views"}
    except FileNotFoundError as error:
        raise SourceError(f"{place}: no such file or folder") from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        reason = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        if "Object arrays" in str(error):
            raise SourceError(f"{place}: holds arrays of objects; save text as text: labels.astype(str)") from error
        raise SourceError(f"{place}: not a .npz file of features and labels, or a damaged one{reason}") from error
    features = arrays.pop("features", np.empty(0))
    if features.ndim != 2 or not features.size or features.dtype.kind not in "fiu" or "labels" not in arrays:
        found = ", ".join([f"features {features.shape}", *(f"{key} {array.shape}" for key, array in arrays.items())])
        raise SourceError(f"{place}: expected numbers `features` (n, d) and `labels` (n,), found {found}")
    short = [key for key, array in arrays.items() if array.shape != (len(features),)]
    if short:
        raise SourceError(f"{place}: {short[0]} of shape {arrays[short[0]].shape} for {len(features)} features")
    text: dict[str, Column] = {key: [str(value) for value in array] for key, array in arrays.items()}
    columns, kinds = {CLASS_TASK: text["labels"]}, {CLASS_TASK: "classification"}
    for key, array in arrays.items():
        if array.dtype.kind == "f" and key != "labels":
            columns[key], kinds[key] = text[key], "regression"
    groups = next((text[key] for key in _GROUPS if key in text), None)
    ids = [str(found) for found in text.get("ids", range(len(features)))]

    def read(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        with np.errstate(over="ignore"):  # what float32 does not hold becomes infinite, and is left out as such
            return np.asarray(features[rows], np.float32)

    return Opened(name, place, ids, columns, kinds, groups, read)


def _thinned(opened: Opened, how: Splitting, samples: int, seed: int) -> Opened:
    """Only samples that have a label of any task and a side of the split, at most `samples` of them; with digests."""
    count, notes = len(opened.ids), list(opened.notes)
    labelled = [any(column[row] is not None for column in opened.columns.values()) for row in range(count)]
    rows = np.flatnonzero(labelled).tolist()
    if len(rows) < count:
        names = [name for name, has in zip(opened.ids, labelled, strict=True) if not has]
        notes.append(f"{counted(len(names), 'file or row', 'files or rows')} without a label left out: {shown(names)}")
    given = split_by_folder(opened.ids, how)
    sides = {} if given is None else {**dict.fromkeys(given.train, "train"), **dict.fromkeys(given.test, "test")}
    if given is not None:
        sided = [row for row in rows if row in sides]
        if len(sided) < len(rows):
            notes.append(f"{len(rows) - len(sided)} in neither of the two folders of the split left out")
        rows = sided
    if not len(rows):
        raise UsageError(f"{opened.place}: no sample that has a label (in train/ or test/, where there are any)")
    strata: Column = next((c for t, c in opened.columns.items() if opened.kinds.get(t) != "regression"), [None] * count)
    if 2 * len(set(strata)) > len(rows):  # numbers, not classes
        strata = [None] * count
    kept = choose([(sides.get(row), strata[row]) for row in rows], samples, seed)
    if len(kept) < len(rows):
        notes.append(
            f"{len(kept):,} of {counted(len(rows), 'sample drawn', 'samples drawn')} by seed {seed} (--samples)"
        )
    rows = [rows[index] for index in kept]
    features = None if opened.read is None else opened.read(np.array(rows))
    if features is not None and not np.isfinite(features).all():
        finite = np.flatnonzero(np.isfinite(features).all(axis=1))
        notes.append(f"{counted(len(rows) - len(finite), 'row')} with NaN or infinity left out")
        rows, features = [rows[index] for index in finite], features[finite]
        if not rows:
            raise SourceError(f"{opened.place}: every row holds NaN or infinity (as float32)")
    kept_ids = [opened.ids[row] for row in rows]
    digests = [] if opened.read is not None else [digest_of(item) for item in items_of(opened.place, kept_ids)]
    return opened.only(rows, digests=digests, features=features, notes=notes)


def shown(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def check_classes(
    name: str, labels: Sequence[str], units: npt.NDArray[np.int64], test: npt.NDArray[Any] | None
) -> None:
    """Raise UsageError where classes cannot be learned and tested.

    Args:
        name: of the set.
        labels: (n,) classes.
        units: (n,) copies share a number.
        test: (n,) which rows a given split tests, or None for folds.
    """
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise UsageError(f"{name}: needs at least two classes, found {', '.join(classes) or 'none'}")
    if test is None:
        sizes = Counter(label for label, _ in set(zip(labels, units.tolist(), strict=True)))
        small = [found for found in classes if sizes[found] < 2]
        if small:
            raise UsageError(
                f"{name}: {counted(len(small), 'class', 'classes')} with a single sample, which cannot be both learned "
                f"and tested: {shown(small)}"
            )
        return
    learned = {label for label, tested in zip(labels, test, strict=True) if not tested}
    asked = {label for label, tested in zip(labels, test, strict=True) if tested}
    strange = sorted(asked - learned)
    if strange:
        raise UsageError(
            f"{name}: {counted(len(strange), 'class', 'classes')} in the test folder, not in train/: {shown(strange)}"
        )
    for part, found in (("train", learned), ("test", asked)):
        if len(found) < 2:
            raise UsageError(f"{name}: needs at least two classes in {part}/, found {', '.join(sorted(found))}")

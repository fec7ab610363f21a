"""Which samples are trained on and which are tested, and what must not lie on both sides.

A probe that has seen a test sample, or its twin, measures memory. So samples with one id, with bit-identical raw
features (copies of one file) or of one group of the user's are one UNIT: units stay on one side of every random split,
and are drawn together by the bootstrap. Where train/ and test/ are given by folders and a unit lies in both, the split
is refused; and a codec whose fit used the labels of this very source is refused as well, because its loss on them says
nothing about others. A codec fitted WITHOUT labels, also to the test images, is no leak: compressing a collection that
one has is what it is for, and the labels stay unseen.

Near copies (the same photograph saved twice) are not found; name them with groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.words import counted

TEST_FOLDERS = ("test", "val", "valid", "validation")
LABELLED_SOURCE = "labelled_source"
"""Key of a codec's provenance: the source's SHA-256, where the fit used its labels."""
Splitting = Literal["auto", "folders", "folds"]


@dataclass(frozen=True, eq=False)
class Split:
    """Row indices to train on and to test on, rising, disjoint in samples."""

    train: npt.NDArray[np.intp]
    test: npt.NDArray[np.intp]

    def among(self, rows: npt.NDArray[np.intp]) -> Split:
        """What a task can use of it: the rows that have a label."""
        return Split(np.intersect1d(self.train, rows), np.intersect1d(self.test, rows))


@dataclass(frozen=True, eq=False)
class Holdout:
    """Splits of rows, and the units that none of them tears apart.

    Attributes:
        splits: rows to train on and to test on.
        units: (n,) for each row of the set, the number of its unit.
        words: how the set was split.

    Raises:
        UsageError: a unit is both trained on and tested on.
    """

    splits: tuple[Split, ...]
    units: npt.NDArray[np.int64]
    words: str

    def __post_init__(self) -> None:
        for split in self.splits:
            shared = np.intersect1d(self.units[split.train], self.units[split.test])
            if len(shared):
                raise UsageError(
                    f"{counted(len(shared), 'sample or group is', 'samples or groups are')} in both parts of a split; "
                    "split anew"
                )

    @cached_property
    def grouped(self) -> bool:
        """Whether any unit holds several samples."""
        return len(np.unique(self.units)) < len(self.units)


def unit_numbers(
    raw: npt.NDArray[np.float32], ids: Sequence[str], groups: Sequence[Any] | None = None
) -> npt.NDArray[np.int64]:
    """(n,) rows that share an id, bit-identical raw features (n, d) or a group (None: no group) share a number."""
    parent = np.arange(len(raw))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    keys: list[Sequence[Any]] = [[blake2b(row.tobytes()).digest() for row in raw], ids]
    keys += [] if groups is None else [groups]
    for column in keys:
        first: dict[Any, int] = {}
        for row, key in enumerate(column):
            if key is not None:
                parent[root(row)] = root(first.setdefault(key, row))
    roots = np.array([root(row) for row in range(len(raw))])
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True)
class Splits:
    """How the rows of a set are split.

    Attributes:
        split: "auto" (by folders train/ and test/, where there are any), "folders" or "folds".
        folds, repeats, seed: `repeats` times, every row is tested once, in one of `folds` parts, drawn by the seed.
    """

    split: Splitting = "auto"
    folds: int = 5
    repeats: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.split not in get_args(Splitting):
            raise UsageError(f"--split must be one of {', '.join(get_args(Splitting))}, found {self.split}")


def split_by_folder(ids: Sequence[str], how: Splitting = "auto") -> Split | None:
    """train/... against test/... (or val/... where there is no test/).

    None where the names hold no such folders, or `how` is "folds".
    """
    if how == "folds":
        return None
    sides = [_side(name) for name in ids]
    test = next((name for name in TEST_FOLDERS if name in sides), None)
    if test is None or "train" not in sides:
        return None
    found = np.array([side or "" for side in sides])
    return Split(np.flatnonzero(found == "train"), np.flatnonzero(found == test))


def hold_out(
    rows: npt.NDArray[np.intp],
    units: npt.NDArray[np.int64],
    classes: npt.NDArray[Any] | None,
    ids: Sequence[str],
    how: Splits | None = None,
) -> Holdout:
    """Split the labelled rows of a set.

    Args:
        rows: (m,) the rows that have a label.
        units: (n,) from `unit_numbers`.
        classes: (m,) classes to keep in proportion, or None.
        ids: (n,) names, with folders train/ and test/ in them or not.
        how: by folders or by folds.

    Raises:
        UsageError: units on both sides of folders, no such folders, or fewer units than folds.
    """
    how = how or Splits()
    given = split_by_folder(ids, how.split)
    if given is not None:
        split = given.among(rows)
        if len(split.train) < 2 or not len(split.test):
            raise UsageError("train/ and test/: both need labelled samples (--split folds splits anew)")
        _refuse_shared(split, units, ids)
        return Holdout((split,), units, "by folder")
    if how.split == "folders":
        raise UsageError("--split folders: no sample lies in train/ and none in test/")
    count = len(np.unique(units[rows]))
    if count < how.folds:
        raise UsageError(f"--folds {how.folds} needs as many independent samples, found {count}")
    splits: list[Split] = []
    for repeat in range(how.repeats):
        fold = fold_numbers(units[rows], classes, how.folds, how.seed + repeat)
        splits += [Split(rows[fold != index], rows[fold == index]) for index in range(how.folds)]
    return Holdout(tuple(splits), units, f"{how.folds} folds, {how.repeats} times, seed {how.seed}")


def refuse_labelled_fit(provenance: Mapping[str, Any], sources: Collection[str], name: str) -> None:
    """Raise UsageError where the codec's fit used the labels of one of the very sources (SHA-256) evaluated."""
    if provenance.get(LABELLED_SOURCE) in sources:
        raise UsageError(
            f"{name}: its codec was fitted with the labels of these samples, so its loss on them says nothing; "
            "evaluate samples that the fit did not see"
        )


def _side(name: str) -> str | None:
    folders = [part.lower() for part in PurePosixPath(name).parts[:-1]]
    return next((part for part in folders if part == "train" or part in TEST_FOLDERS), None)


def _refuse_shared(split: Split, units: npt.NDArray[np.int64], ids: Sequence[str]) -> None:
    shared = np.intersect1d(units[split.train], units[split.test])
    if len(shared):
        twins = [next(row for row in side if units[row] == shared[0]) for side in (split.train, split.test)]
        raise UsageError(
            f"{counted(len(shared), 'sample or group lies', 'samples or groups lie')} on both sides of the "
            f"split: {ids[twins[0]]} and {ids[twins[1]]} are one; remove one of each, or "
            "split anew (--split folds keeps them together)"
        )


def fold_numbers(
    units: npt.NDArray[np.int64], classes: npt.NDArray[Any] | None, folds: int, seed: int
) -> npt.NDArray[np.intp]:
    """(m,) the fold of each row: units whole, classes in proportion."""
    rng = np.random.default_rng(seed)
    _, first, unit_of = np.unique(units, return_index=True, return_inverse=True)
    # Dealing units out class by class (a unit's class is its first row's) keeps the classes in proportion.
    order = rng.permutation(len(first))
    if classes is not None:
        order = order[np.argsort(classes[first][order], kind="stable")]
    fold = np.empty(len(first), np.intp)
    fold[order] = np.arange(len(first)) % folds
    return fold[unit_of]

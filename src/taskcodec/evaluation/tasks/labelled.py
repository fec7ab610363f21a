"""Labelled sets of features, and their splits.

A set is split by stratified folds, repeated with other seeds: every sample is tested equally often and never by a probe
that was trained on it, or on another sample of its group (photos of one house).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Float32s = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Task:
    """Something to predict.

    Attributes:
        name: of the task.
        metric: "accuracy" or "r2".
        targets: (n,) class labels or numbers; anything in rows without a label.
        rows: (m,) the rows that have a label, rising; None: all.
    """

    name: str
    metric: Literal["accuracy", "r2"]
    targets: npt.NDArray[Any]
    rows: Rows | None = None


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Features (n, d) float32 with one or more tasks.

    groups: (n,) samples of one group stay on one side of every split, and are drawn together by the bootstrap.
    """

    name: str
    features: Float32s
    tasks: tuple[Task, ...]
    groups: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        lengths = {len(task.targets) for task in self.tasks} | {len(self.units)}
        if not self.tasks or lengths != {len(self.features)}:
            raise UsageError(f"{self.name}: {len(self.features)} feature rows, targets and groups of {lengths} rows")

    @property
    def units(self) -> npt.NDArray[np.int64]:
        """(n,) what the bootstrap draws: the sample itself, or its group."""
        labels = np.arange(len(self.features)) if self.groups is None else self.groups
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """Row indices to train on and to test on, disjoint in samples."""

    train: Rows
    test: Rows


def make_splits(labelled: LabelledSet, folds: int = 3, repeats: int = 1, seed: int = 0) -> list[Split]:
    """folds * repeats splits: within a repeat every sample is tested once. Classes are kept in proportion."""
    from sklearn.model_selection import StratifiedGroupKFold

    classes = [task.targets for task in labelled.tasks if task.metric == "accuracy"]
    strata = classes[0] if classes else np.zeros(len(labelled.features))
    splits = []
    for repeat in range(repeats):
        folder = StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat)
        splits += [Split(*parts) for parts in folder.split(np.zeros((len(strata), 1)), strata, labelled.units)]
    return splits

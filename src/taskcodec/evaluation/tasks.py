"""Labelled sets of features, their splits, and the scores of probes on what a codec gives back.

A set is split by stratified folds, repeated with other seeds: every sample is tested equally often and never by a probe
that was trained on it, or on another sample of its group (photos of one house).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.intervals import Scores
from taskcodec.evaluation.probes import Predictor, probe_accuracy, probe_r2

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


def split_of(task: Task, split: Split) -> Split:
    """What a task can use of a split: the rows that have a label."""
    if task.rows is None:
        return split
    return Split(np.intersect1d(split.train, task.rows), np.intersect1d(split.test, task.rows))


def refuse_leakage(labelled: LabelledSet, split: Split) -> None:
    """Raise UsageError where a sample, or a group, is both trained on and tested on."""
    shared = np.intersect1d(labelled.units[split.train], labelled.units[split.test])
    if len(shared):
        raise UsageError(f"{labelled.name}: {len(shared)} samples or groups are in both parts of a split; split anew")


def probe_scores(
    labelled: LabelledSet,
    task: Task,
    splits: Sequence[Split],
    decoded: Sequence[Float32s],
    predictor: Predictor = "ridge",
) -> Scores:
    """Train one probe a split on decoded features and test it on decoded features.

    decoded: for each split, all n features as they come back from the codec, (n, d); the same array may be repeated.
    Rows without a label of the task are neither trained nor tested on.
    """
    if len(decoded) != len(splits):
        raise UsageError(f"{labelled.name}: {len(decoded)} decoded arrays for {len(splits)} splits")
    targets, predictions, own = [], [], [split_of(task, split) for split in splits]
    for split, features in zip(own, decoded, strict=True):
        refuse_leakage(labelled, split)
        groups = None if labelled.groups is None else labelled.groups[split.train]
        data = features[split.train], task.targets[split.train], features[split.test], task.targets[split.test]
        if task.metric == "accuracy":
            result = probe_accuracy(*data, predictor=predictor, groups=groups)
            targets.append(np.ones(len(split.test)))
            predictions.append(result.correct.astype(np.float64))
        else:
            result = probe_r2(*data, groups=groups)
            targets.append(np.asarray(result.targets, dtype=np.float64))
            predictions.append(np.asarray(result.predictions, dtype=np.float64))
    units = np.concatenate([labelled.units[split.test] for split in own])
    return Scores(units, np.concatenate(targets), np.concatenate(predictions), task.metric)

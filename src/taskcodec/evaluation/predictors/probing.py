"""The scores of probes on what a codec gives back of a labelled set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.linear import Predictor, probe_accuracy, probe_r2
from taskcodec.evaluation.scores.intervals import Scores
from taskcodec.evaluation.tasks.labelled import LabelledSet, Split, Task

Float32s = npt.NDArray[np.float32]


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

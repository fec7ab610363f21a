import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.probing import probe_scores, refuse_leakage
from taskcodec.evaluation.tasks.labelled import LabelledSet, Split, Task, make_splits


def labelled(rows=90, groups=None):
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    features = (rng.normal(size=(3, 12))[labels] * 3 + rng.normal(size=(rows, 12))).astype(np.float32)
    tasks = (Task("class", "accuracy", labels), Task("size", "r2", features @ rng.normal(size=12)))
    return LabelledSet("toy", features, tasks, groups)


def test_every_sample_is_tested_once_a_repeat_and_classes_keep_their_share():
    one = labelled()
    splits = make_splits(one, folds=3, repeats=2)
    assert len(splits) == 6
    for repeat in (splits[:3], splits[3:]):
        assert np.array_equal(np.sort(np.concatenate([split.test for split in repeat])), np.arange(90))
    for split in splits:
        assert np.array_equal(np.bincount(one.tasks[0].targets[split.test]), [10, 10, 10])
    again = make_splits(one, folds=3, repeats=2)
    assert all(np.array_equal(a.test, b.test) for a, b in zip(splits, again, strict=True))


def test_groups_stay_on_one_side():
    groups = np.array([f"house {i // 6}" for i in range(90)])
    for split in make_splits(labelled(groups=groups)):
        assert not set(groups[split.train]) & set(groups[split.test])


def test_a_leaking_split_is_refused():
    one = labelled(groups=np.arange(90) // 2)
    leaking = Split(np.arange(0, 90, 2), np.arange(1, 90, 2))
    with pytest.raises(UsageError, match="both parts"):
        refuse_leakage(one, leaking)
    with pytest.raises(UsageError, match="both parts"):
        probe_scores(one, one.tasks[0], [leaking], [one.features])


def test_scores_of_faithful_and_of_destroyed_features():
    one = labelled()
    splits = make_splits(one)
    for task in one.tasks:
        raw = probe_scores(one, task, splits, [one.features] * 3)
        assert raw.value > 0.9
        assert len(raw.units) == 90
        noise = np.random.default_rng(1).normal(size=one.features.shape).astype(np.float32)
        assert probe_scores(one, task, splits, [noise] * 3).value < 0.6


def test_lengths_are_checked():
    with pytest.raises(UsageError, match="toy"):
        LabelledSet("toy", np.zeros((3, 2), np.float32), (Task("class", "accuracy", np.zeros(2)),))
    one = labelled()
    with pytest.raises(UsageError, match="decoded arrays"):
        probe_scores(one, one.tasks[0], make_splits(one), [one.features])

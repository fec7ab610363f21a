import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.families import FAMILIES, families_for, make_lesson
from taskcodec.evaluation.tasks.holdout import Holdout, Split
from taskcodec.evaluation.tasks.targets import Target


def blobs(kind, n=160, d=12, seed=0):
    """Features that say what there is to say: three classes, two labels or a number."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    if kind == "classification":
        y = np.arange(n) % 3
        x[:, :3] += 4 * np.eye(3)[y]
    elif kind == "multilabel":
        y = (x[:, :2] > 0).astype(float)
        x[:, :2] *= 4
    else:
        y = 5 + 3 * x[:, 0] + 0.1 * rng.normal(size=n)
        x[:, 0] *= 4
    return x.astype("f4"), y


def taught(kind, names, x, y, train, test, units=None):
    """The lesson of one split."""
    every, split = np.arange(len(x)), Split(train, test)
    holdout = Holdout((split,), every if units is None else units, "")
    return make_lesson(Target("task", kind, every, y, tuple(names)), x, holdout, split)


def lesson(kind, n=160):
    x, y = blobs(kind, n)
    half = np.arange(n) < 0.7 * n
    names = {"classification": "abc", "multilabel": "ab", "regression": ""}[kind]
    return taught(kind, names, x, y, np.flatnonzero(half), np.flatnonzero(~half)), y[~half]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, f) for k in ("classification", "multilabel", "regression") for f in families_for(k, FAMILIES)],
)
def test_every_family_learns_every_kind_it_takes(kind, name):
    one, truth = lesson(kind)
    found = FAMILIES[name](one)
    assert found.scores.shape == (len(truth), one.width)
    if kind == "classification":
        assert np.mean(found.scores.argmax(axis=1) == truth) > 0.9
        if found.probabilities is not None:
            assert found.probabilities.sum(axis=1) == pytest.approx(1)
            assert -np.mean(np.log2(found.probabilities[np.arange(len(truth)), truth])) < 0.6
        assert (found.probabilities is None) == (name == "svm")
    elif kind == "multilabel":
        assert np.mean((found.scores > found.threshold) == (truth > 0)) > 0.85
    else:
        assert np.corrcoef(found.scores[:, 0], truth)[0, 1] > 0.75
        assert abs(found.scores.mean() - truth.mean()) < 1


def test_a_class_absent_from_training_has_no_probability():
    x, y = blobs("classification")
    keep = np.flatnonzero(y != 2)
    for name in ("ridge", "knn", "logistic"):
        found = FAMILIES[name](taught("classification", "abc", x, y, keep[keep < 100], np.arange(100, 160)))
        assert found.scores.shape == (60, 3)
        assert np.mean(found.scores.argmax(axis=1) == 2) < 0.1


def test_ridge_probabilities_follow_the_noise():
    """Labels that are wrong in three of ten samples must not be predicted with certainty."""
    x, y = blobs("classification", 600)
    rng = np.random.default_rng(1)
    noisy = np.where(rng.random(600) < 0.3, rng.integers(0, 3, 600), y)
    found = FAMILIES["ridge"](taught("classification", "abc", x, noisy, np.arange(400), np.arange(400, 600)))
    assert 0.7 < found.probabilities.max(axis=1).mean() < 0.9  # right: 0.7 + 0.1


def test_neighbours_of_the_own_unit_do_not_choose_k():
    """Every sample twice: with copies counted, k = 1 would look perfect on labels that are pure chance."""
    rng = np.random.default_rng(2)
    x, y = np.repeat(rng.normal(size=(100, 5)), 2, axis=0).astype("f4"), np.repeat(rng.integers(0, 2, 100), 2)
    units = np.repeat(np.arange(100), 2)
    found = FAMILIES["knn"](taught("classification", "ab", x, y, np.arange(150), np.arange(150, 200), units))
    assert np.abs(found.probabilities - 0.5).max() < 0.35


def test_names_are_checked():
    assert families_for("regression", ("ridge", "logistic")) == ["ridge"]
    with pytest.raises(UsageError, match="--predictors magic"):
        families_for("regression", ("magic",))
    with pytest.raises(UsageError, match="takes no task of kind regression"):
        families_for("regression", ("logistic",))


def test_classes_of_one_sample_are_no_obstacle():
    x, y = blobs("classification")
    y = np.where(np.arange(160) == 5, 3, y)
    for name in FAMILIES:
        found = FAMILIES[name](taught("classification", "abcd", x, y, np.arange(120), np.arange(120, 160)))
        assert np.mean(found.scores.argmax(axis=1) == y[120:]) > 0.85

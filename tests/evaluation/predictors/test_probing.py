import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.probing import probe_accuracy, probe_r2, probe_scores
from taskcodec.evaluation.tasks.holdout import Splits, hold_out
from taskcodec.evaluation.tasks.targets import Target


def blobs(rows, columns, classes, distance, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = rng.normal(size=(classes, columns)) * distance
    return (centres[labels] + rng.normal(size=(rows, columns))).astype(np.float32), labels


@pytest.mark.parametrize("predictor", ["ridge", "logistic"])
def test_separable_classes_are_told_apart_and_shuffled_labels_are_not(predictor):
    x, y = blobs(240, 20, 3, 3.0)
    good = probe_accuracy(x[:120], y[:120], x[120:], y[120:], predictor=predictor)
    assert good.value > 0.98
    assert good.value == good.correct.mean()
    shuffled = np.random.default_rng(0).permutation(y)
    chance = probe_accuracy(x[:120], shuffled[:120], x[120:], shuffled[120:], predictor=predictor)
    assert 0.15 < chance.value < 0.52


def test_string_labels_and_classes_missing_from_the_test_part():
    x, y = blobs(90, 10, 3, 4.0)
    names = np.array(["ant", "bee", "wasp"])[y]
    test = y[60:] != 2
    result = probe_accuracy(x[:60], names[:60], x[60:][test], names[60:][test])
    assert result.value == 1
    assert set(result.predictions) == {"ant", "bee"}


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-50, 50))
def test_scalar_scaling_ignores_units_and_origin(scale, shift):
    x, y = blobs(60, 6, 2, 1.0)
    plain = probe_accuracy(x[:40], y[:40], x[40:], y[40:])
    moved = (x * scale + shift * scale).astype(np.float64)
    assert np.array_equal(plain.predictions, probe_accuracy(moved[:40], y[:40], moved[40:], y[40:]).predictions)


def test_constant_features_predict_without_failing():
    x = np.ones((20, 4), np.float32)
    y = np.arange(20) % 2
    for scaling in ("scalar", "dimension"):
        assert 0 <= probe_accuracy(x[:12], y[:12], x[12:], y[12:], scaling=scaling).value <= 1


def test_regression_recovers_a_linear_target_and_not_noise():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 10)).astype(np.float32)
    y = x @ rng.normal(size=10) + 5
    assert probe_r2(x[:150], y[:150], x[150:], y[150:]).value > 0.999
    noise = rng.normal(size=200)
    assert probe_r2(x[:150], noise[:150], x[150:], noise[150:]).value < 0.2


def test_bad_input_is_refused():
    x, y = blobs(20, 4, 2, 1.0)
    with pytest.raises(UsageError, match="one d"):
        probe_accuracy(x, y, x[:, :3], y)
    with pytest.raises(UsageError, match="one target a row"):
        probe_accuracy(x, y[:-1], x, y)
    with pytest.raises(UsageError, match="two classes"):
        probe_accuracy(x, np.zeros(20), x, y)
    with pytest.raises(UsageError, match="NaN"):
        probe_r2(x * np.nan, y, x, y)
    with pytest.raises(UsageError, match="at least"):
        probe_accuracy(x[:1], y[:1], x, y)


def labelled(rows=90):
    """Features with a task of classes and one of numbers."""
    rng = np.random.default_rng(0)
    labels, every = np.arange(rows) % 3, np.arange(rows)
    features = (rng.normal(size=(3, 12))[labels] * 3 + rng.normal(size=(rows, 12))).astype(np.float32)
    sizes = features.astype(np.float64) @ rng.normal(size=12)
    targets = (
        Target("class", "classification", every, labels, ("a", "b", "c")),
        Target("size", "regression", every, sizes, ()),
    )
    return features, targets, hold_out(every, every, labels, [""] * rows, Splits(folds=3, repeats=1))


def test_scores_of_faithful_and_of_destroyed_features():
    features, targets, holdout = labelled()
    for target in targets:
        raw = probe_scores(target, holdout, [features] * 3)
        assert raw.value > 0.9
        assert raw.metric == target.metric
        assert len(raw.units) == 90
        noise = np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
        assert probe_scores(target, holdout, [noise] * 3).value < 0.6


def test_rows_without_a_label_are_neither_trained_nor_tested_on():
    features, (target, _), holdout = labelled()
    rows = np.arange(0, 90, 2)
    some = Target("class", "classification", rows, target.values[rows], target.names)
    assert np.array_equal(np.sort(probe_scores(some, holdout, [features] * 3).units), rows)


def test_what_does_not_go_together_is_refused():
    features, (target, _), holdout = labelled()
    with pytest.raises(UsageError, match="decoded arrays"):
        probe_scores(target, holdout, [features])
    with pytest.raises(UsageError, match="NaN"):
        probe_scores(target, holdout, [features * np.nan] * 3)
    one = Target("class", "classification", target.rows, np.zeros(90, np.intp), ("a",))
    with pytest.raises(UsageError, match="two classes"):
        probe_scores(one, holdout, [features] * 3)

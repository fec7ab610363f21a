import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.linear import RIDGE_GRID, RidgePath, probe_accuracy, probe_r2, scale_features


def blobs(rows, columns, classes, distance, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = rng.normal(size=(classes, columns)) * distance
    return (centres[labels] + rng.normal(size=(rows, columns))).astype(np.float32), labels


def explicit_errors(x, targets, groups, strength):
    errors = np.empty_like(targets)
    for group in np.unique(groups):
        out = groups == group
        errors[out] = Ridge(alpha=strength).fit(x[~out], targets[~out]).predict(x[out]).reshape(errors[out].shape)
    return np.mean((errors - targets) ** 2)


@pytest.mark.parametrize(("rows", "columns"), [(20, 7), (12, 30)])
def test_held_out_errors_equal_explicit_leaving_out(rows, columns):
    rng = np.random.default_rng(1)
    x, _ = scale_features(rng.normal(size=(rows, columns)), np.zeros((1, columns)))
    targets = rng.normal(size=(rows, 2))
    path = RidgePath(x)
    for groups in (np.arange(rows), np.arange(rows) // 4):
        found = path.held_out_errors(targets, groups)
        assert found[10] == pytest.approx(explicit_errors(x, targets, groups, RIDGE_GRID[10]), rel=1e-6)
        assert found[24] == pytest.approx(explicit_errors(x, targets, groups, RIDGE_GRID[24]), rel=1e-6)
    assert np.allclose(path.held_out_errors(targets), path.held_out_errors(targets, np.arange(rows)), rtol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(40, 5), (10, 25)])
def test_predictions_equal_scikit_learns(rows, columns):
    rng = np.random.default_rng(2)
    x, test = rng.normal(size=(rows, columns)), rng.normal(size=(6, columns))
    x -= x.mean(axis=0)
    targets = rng.normal(size=(rows, 3))
    expected = Ridge(alpha=0.3).fit(x, targets).predict(test)
    assert np.allclose(RidgePath(x).predict(targets, test, 0.3), expected, atol=1e-6)


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


def test_grouping_stops_the_probe_from_memorising_groups():
    # Eight near-copies of each of 15 points with random targets: without groups the weakest ridge looks best.
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(15), 8)
    x = (rng.normal(size=(15, 40))[groups] + 0.01 * rng.normal(size=(120, 40))).astype(np.float32)
    y = rng.normal(size=15)[groups]
    grouped = probe_r2(x, y, x, y, groups=groups)
    assert grouped.strength > 10 * probe_r2(x, y, x, y).strength


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

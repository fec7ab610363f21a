import numpy as np
import pytest
from sklearn.linear_model import Ridge

from taskcodec.evaluation.predictors.linear import RIDGE_GRID, RidgePath, scale_features


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


def test_grouping_stops_the_probe_from_memorising_groups():
    # Eight near-copies of each of 15 points with random targets: without groups the weakest ridge looks best.
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(15), 8)
    x = (rng.normal(size=(15, 40))[groups] + 0.01 * rng.normal(size=(120, 40))).astype(np.float32)
    y = rng.normal(size=15)[groups]
    path = RidgePath(scale_features(x, x)[0])
    assert path.best_strength(y[:, None], groups) > 10 * path.best_strength(y[:, None])

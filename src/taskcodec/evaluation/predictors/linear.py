"""Probes: small predictors that measure how much of a task survives in (decoded) features.

The default probe is ridge. One symmetric eigendecomposition gives its exact cross-validated error for every strength of
a log grid, so the regularisation is chosen anew for every codec at no extra cost. Logistic regression (scikit-learn)
is the second probe.

Leave-one-out for ridge in closed form: Golub, Heath, Wahba 1979, "Generalized cross-validation as a method for
choosing a good ridge parameter"; with groups the same identity holds for blocks, e_g = (I - H_gg)^-1 (y - H y)_g.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Floats = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[Any]
Scaling = Literal["scalar", "dimension"]
Predictor = Literal["ridge", "logistic"]

# Strengths are relative: features are scaled so that a training row has mean squared norm 1.
RIDGE_GRID: npt.NDArray[np.float64] = np.logspace(-4, 3, 29)
LOGISTIC_GRID: npt.NDArray[np.float64] = np.logspace(-1, 3, 5)
LOGISTIC_FOLDS = 4
# Measured on raw features of six sets, 5 splits each: one scalar against standardising each dimension gives ridge
# 94.7/93.7, 98.0/98.1, 92.5/91.8, 97.8/97.6, 95.7/93.1, 85.8/85.1 % and logistic regression about as much.
DEFAULT_SCALING: Scaling = "scalar"


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What a probe said about the test samples.

    Attributes:
        metric: "accuracy" (share of right answers, 0 to 1) or "r2" (explained variance, 1 at best).
        value: the metric over all test samples.
        predictions: (m,) predicted labels or target values.
        targets: (m,) true labels or target values.
        strength: the regularisation that cross-validation on the training samples chose.
    """

    metric: Literal["accuracy", "r2"]
    value: float
    predictions: Labels
    targets: Labels
    strength: float

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(m,) which test samples were predicted exactly."""
        return np.asarray(self.predictions == self.targets, dtype=np.bool_)


def accuracy(targets: Labels, predictions: Labels) -> float:
    """Share of predictions that equal their target."""
    return float(np.mean(targets == predictions))


def r2(targets: Floats, predictions: Floats) -> float:
    """1 - squared error / squared deviation from the targets' own mean."""
    return float(1 - np.sum((targets - predictions) ** 2) / np.sum((targets - targets.mean()) ** 2))


def _checked(train_x: Floats, train_y: Labels, test_x: Floats, test_y: Labels) -> None:
    if train_x.ndim != 2 or test_x.ndim != 2 or train_x.shape[1] != test_x.shape[1]:
        raise UsageError(f"probe: features must be (n, d) with one d, found {train_x.shape} and {test_x.shape}")
    if len(train_x) != len(train_y) or len(test_x) != len(test_y):
        raise UsageError(
            f"probe: one target a row, found {len(train_x)} rows with {len(train_y)} targets (train) "
            f"and {len(test_x)} rows with {len(test_y)} targets (test)"
        )
    if len(train_x) < 2 or len(test_x) < 1:
        raise UsageError("probe: needs at least two training samples and one test sample")
    if not (np.isfinite(train_x).all() and np.isfinite(test_x).all()):
        raise UsageError("probe: features hold NaN or infinity")


def scale_features(
    train_x: Floats, test_x: Floats, scaling: Scaling = DEFAULT_SCALING
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centre by the training mean and scale so that a training row has mean squared norm 1.

    scaling: "scalar" divides every dimension by one number, "dimension" gives every dimension the same variance first.
    """
    mean = train_x.mean(axis=0, dtype=np.float64)
    train, test = train_x - mean, test_x - mean
    if scaling == "dimension":
        deviation = train.std(axis=0)
        # A dimension constant in training says nothing; leave its (zero) training values as they are.
        deviation[deviation <= 1e-6 * max(float(deviation.max()), 1e-30)] = np.inf
        train, test = train / deviation, test / deviation
    norm = float(np.sqrt(np.mean(np.sum(train**2, axis=1)))) or 1.0
    return train / norm, test / norm


class RidgePath:
    """Ridge regression with intercept at every strength, from one decomposition of the training features.

        centred X = U diag(s) V'      H(a) = 1/n + U diag(s^2 / (s^2 + a)) U'

    The smaller of the two Gram matrices, (n, n) or (d, d), is decomposed.
    """

    def __init__(self, train_x: npt.NDArray[np.float64]) -> None:
        rows, columns = train_x.shape
        gram = train_x @ train_x.T if rows <= columns else train_x.T @ train_x
        values, vectors = np.linalg.eigh(gram)
        keep = values > max(float(values[-1]), 1e-300) * 1e-10
        self._values: npt.NDArray[np.float64] = values[keep]
        root = np.sqrt(self._values)
        # left: U (n, r), right: V (d, r)
        if rows <= columns:
            self._left, self._right = vectors[:, keep], (train_x.T @ vectors[:, keep]) / root
        else:
            self._left, self._right = (train_x @ vectors[:, keep]) / root, vectors[:, keep]

    def held_out_errors(
        self, targets: npt.NDArray[np.float64], groups: Labels | None = None
    ) -> npt.NDArray[np.float64]:
        """Mean squared error of each training target (n, t) predicted without its own sample or group, per strength."""
        return np.array([np.mean(residual**2) for residual in self._held_out(targets, RIDGE_GRID, groups)])

    def held_out_residuals(
        self, targets: npt.NDArray[np.float64], strength: float, groups: Labels | None = None
    ) -> npt.NDArray[np.float64]:
        """(n, t) each training target minus its prediction without its own sample or group, at one strength."""
        return next(self._held_out(targets, np.array([strength]), groups))

    def _held_out(
        self, targets: npt.NDArray[np.float64], strengths: npt.NDArray[np.float64], groups: Labels | None
    ) -> Iterator[npt.NDArray[np.float64]]:
        rows = len(targets)
        centred = targets - targets.mean(axis=0)
        projected = self._left.T @ centred
        blocks = _blocks(groups) if groups is not None else []
        squared = self._left**2
        for strength in strengths:
            shrink = self._values / (self._values + strength)
            residual = centred - self._left @ (shrink[:, None] * projected)
            if groups is None:
                residual = residual / np.maximum(1 - 1 / rows - squared @ shrink, 1e-12)[:, None]
            for block in blocks:
                part = self._left[block]
                held_in = np.eye(len(block)) - 1 / rows - (part * shrink) @ part.T
                residual[block] = np.linalg.solve(held_in + 1e-12 * np.eye(len(block)), residual[block])
            yield residual

    def predict(
        self, targets: npt.NDArray[np.float64], test_x: npt.NDArray[np.float64], strength: float
    ) -> npt.NDArray[np.float64]:
        """Predict (m, t) for the test features (m, d), trained on the targets (n, t) at one strength."""
        mean = targets.mean(axis=0)
        projected = self._left.T @ (targets - mean)
        weights = (np.sqrt(self._values) / (self._values + strength))[:, None] * projected
        result: npt.NDArray[np.float64] = (test_x @ self._right) @ weights + mean
        return result


def _blocks(groups: Labels) -> list[npt.NDArray[np.intp]]:
    _, inverse = np.unique(groups, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1)


def _ridge(
    train_x: npt.NDArray[np.float64],
    targets: npt.NDArray[np.float64],
    test_x: npt.NDArray[np.float64],
    groups: Labels | None,
) -> tuple[npt.NDArray[np.float64], float]:
    path = RidgePath(train_x)
    strength = float(RIDGE_GRID[int(np.argmin(path.held_out_errors(targets, groups)))])
    return path.predict(targets, test_x, strength), strength


def _folds(groups: Labels | None, labels: Labels) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    rows = np.zeros((len(labels), 1))
    if groups is not None:
        folds: Any = GroupKFold(LOGISTIC_FOLDS)
    elif int(np.unique(labels, return_counts=True)[1].min()) >= LOGISTIC_FOLDS:
        folds = StratifiedKFold(LOGISTIC_FOLDS, shuffle=True, random_state=0)
    else:
        folds = KFold(min(LOGISTIC_FOLDS, len(labels)), shuffle=True, random_state=0)
    yield from folds.split(rows, labels, groups)


def _logistic(
    train_x: npt.NDArray[np.float64], train_y: Labels, test_x: npt.NDArray[np.float64], groups: Labels | None
) -> tuple[Labels, float]:
    from sklearn.linear_model import LogisticRegression

    def fitted(x: npt.NDArray[np.float64], y: Labels, strength: float) -> Any:
        return LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(x, y)

    right = np.zeros(len(LOGISTIC_GRID))
    for inside, outside in _folds(groups, train_y):
        if len(np.unique(train_y[inside])) < 2:
            continue
        for index, strength in enumerate(LOGISTIC_GRID):
            model = fitted(train_x[inside], train_y[inside], float(strength))
            right[index] += np.sum(model.predict(train_x[outside]) == train_y[outside])
    best = float(LOGISTIC_GRID[int(np.argmax(right))])
    return np.asarray(fitted(train_x, train_y, best).predict(test_x)), best


def probe_accuracy(
    train_x: Floats,
    train_y: Labels,
    test_x: Floats,
    test_y: Labels,
    *,
    predictor: Predictor = "ridge",
    scaling: Scaling = DEFAULT_SCALING,
    groups: Labels | None = None,
) -> ProbeResult:
    """Train a linear classifier on (n, d) features and their labels, and score it on (m, d) test features.

    ridge: one-against-all regression on +-1 targets, the class of the largest output wins; its strength has the least
    squared error on held-out training samples. logistic: multinomial, strength by 4-fold cross-validated accuracy.
    groups: (n,) training samples of one group are held out together (photos of one house).

    Raises:
        UsageError: shapes disagree, values are not finite, or the training labels hold fewer than two classes.
    """
    train_y, test_y = np.asarray(train_y), np.asarray(test_y)
    _checked(train_x, train_y, test_x, test_y)
    classes, indices = np.unique(train_y, return_inverse=True)
    if len(classes) < 2:
        raise UsageError(f"probe: needs at least two classes in the training labels, found {len(classes)}")
    train, test = scale_features(train_x, test_x, scaling)
    if predictor == "logistic":
        predictions, strength = _logistic(train, train_y, test, groups)
    else:
        targets = np.where(indices[:, None] == np.arange(len(classes)), 1.0, -1.0)
        outputs, strength = _ridge(train, targets, test, groups)
        predictions = classes[np.argmax(outputs, axis=1)]
    return ProbeResult("accuracy", accuracy(test_y, predictions), predictions, test_y, strength)


def probe_r2(
    train_x: Floats,
    train_y: Floats,
    test_x: Floats,
    test_y: Floats,
    *,
    scaling: Scaling = DEFAULT_SCALING,
    groups: Labels | None = None,
) -> ProbeResult:
    """Ridge regression of a number on (n, d) features, scored by R2 on (m, d) test features. groups: as above.

    Raises:
        UsageError: shapes disagree or values are not finite.
    """
    numbers, truth = np.asarray(train_y, dtype=np.float64), np.asarray(test_y, dtype=np.float64)
    _checked(train_x, numbers, test_x, truth)
    train, test = scale_features(train_x, test_x, scaling)
    outputs, strength = _ridge(train, numbers[:, None], test, groups)
    return ProbeResult("r2", r2(truth, outputs[:, 0]), outputs[:, 0], truth, strength)

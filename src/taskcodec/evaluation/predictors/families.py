"""Families of predictors: each is trained on the training side of a split and says something about every test sample.

ridge      one-against-all ridge; strength by leave-one-out; probabilities by a softmax whose one temperature is fitted
           to the left-out outputs (Guo, Pleiss, Sun, Weinberger 2017, "On calibration of modern neural networks")
knn        k nearest neighbours by cosine, k by leave-one-out; probabilities by votes, smoothed by the classes' shares
logistic   multinomial (for multi-label: one a label), strength by 4-fold cross-validation; not for regression
svm        linear support vector machine, strength by 4-fold cross-validation; gives no probabilities
boosting   histogram gradient boosting on the first 64 principal components (for time), stopped early; not multi-label
mlp        one hidden layer of 128, stopped early where there are 500 training samples or more

Everything is chosen on the training side alone, and anew for raw and for decoded features.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.linear import LOGISTIC_GRID, RidgePath, check_finite, scale_features, unit_length
from taskcodec.evaluation.tasks.holdout import Holdout, Split, fold_numbers
from taskcodec.evaluation.tasks.targets import Kind, Target

Floats = npt.NDArray[np.float64]
QUICK = ("ridge", "knn")
NEIGHBOURS = (1, 3, 5, 9, 15, 25, 41)
TEMPERATURES = np.logspace(-0.5, 2.5, 37)
FOLDS = 4
COMPONENTS = 64
MAX_LEFT_OUT = 5000
"""k is chosen on at most this many training samples."""
MIN_EARLY = 500
"""Fewer training samples than this are too few to hold some back for early stopping."""
BLOCK = 1024


@dataclass(frozen=True, eq=False)
class Lesson:
    """One split of one task.

    Attributes:
        kind: of the task.
        width: how many classes or labels; 1 for regression.
        train_x, test_x: (n, d) and (m, d) features, centred and scaled by the training side.
        train_y: (n,) class numbers, (n, width) 0 or 1, or (n,) numbers.
        units: (n,) training samples of one unit are held out together.
        grouped: whether any unit of the whole set holds several samples.
    """

    kind: Kind
    width: int
    train_x: Floats
    train_y: npt.NDArray[Any]
    test_x: Floats
    units: npt.NDArray[np.int64]
    grouped: bool = False

    @property
    def groups(self) -> npt.NDArray[np.int64] | None:
        """The units, or None where each is a sample."""
        return self.units if self.grouped else None

    @property
    def indicators(self) -> Floats:
        """(n, width) 1 where a sample has the class or label; for regression the numbers."""
        if self.kind == "classification":
            return np.asarray(self.train_y[:, None] == np.arange(self.width), dtype=np.float64)
        return np.asarray(self.train_y, dtype=np.float64).reshape(len(self.train_y), self.width)


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a predictor says about m test samples.

    Attributes:
        scores: (m, width): of classes (the largest wins), of labels (present above `threshold`), or the numbers.
        probabilities: (m, width) of classes, rows sum to 1; None where the family gives none.
        threshold: of labels.
    """

    scores: Floats
    probabilities: Floats | None = None
    threshold: float = 0.5


Family = Callable[[Lesson], Outputs]


def make_lesson(target: Target, features: npt.NDArray[np.float32], holdout: Holdout, split: Split) -> Lesson:
    """The lesson of one split of a task on features (n, d). Raises UsageError where these are not finite."""
    train, test = features[split.train], features[split.test]
    check_finite(train, test)
    train_x, test_x = scale_features(train, test)
    values, units = target.spread(len(features)), holdout.units[split.train]
    return Lesson(target.kind, target.width, train_x, values[split.train], test_x, units, holdout.grouped)


def ridge(lesson: Lesson) -> Outputs:
    """See the module."""
    targets = lesson.indicators if lesson.kind == "regression" else 2 * lesson.indicators - 1
    path, groups = RidgePath(lesson.train_x), lesson.groups
    strength = path.best_strength(targets, groups)
    scores = path.predict(targets, lesson.test_x, strength)
    if lesson.kind != "classification":
        return Outputs(scores, threshold=0.0)
    left_out = targets - path.held_out_residuals(targets, strength, groups)
    truth = lesson.train_y[:, None]
    surprise = [
        -float(np.mean(np.log(np.take_along_axis(_softmax(t * left_out), truth, 1) + 1e-9))) for t in TEMPERATURES
    ]
    return Outputs(scores, _softmax(float(TEMPERATURES[int(np.argmin(surprise))]) * scores))


def knn(lesson: Lesson) -> Outputs:
    """See the module."""
    train, test = unit_length(lesson.train_x), unit_length(lesson.test_x)
    values, share = lesson.indicators, lesson.indicators.mean(axis=0)
    ks = [k for k in NEIGHBOURS if k < len(train)] or [1]
    rng = np.random.default_rng(0)
    left_out = rng.permutation(len(train))[:MAX_LEFT_OUT]
    near = _nearest(train, train[left_out], ks[-1], lesson.units, lesson.units[left_out])
    errors = [np.mean((_vote(values[near[:, :k]], share) - values[left_out]) ** 2) for k in ks]
    best = ks[int(np.argmin(errors))]
    votes = _vote(values[_nearest(train, test, best)], share)
    if lesson.kind == "regression":
        return Outputs(votes)
    return Outputs(votes, votes if lesson.kind == "classification" else None)


def logistic(lesson: Lesson) -> Outputs:
    """See the module."""
    return _searched(lesson, _logistic_model(), {"C": LOGISTIC_GRID.tolist()})


def logistic_by_accuracy(lesson: Lesson) -> Outputs:
    """The benchmark's probe of classes: its strength is the one with most held-out training samples right."""
    right = np.zeros(len(LOGISTIC_GRID))
    models = [_logistic_model(float(strength)) for strength in LOGISTIC_GRID]
    for inside, outside in _accuracy_folds(lesson.groups, lesson.train_y):
        if len(np.unique(lesson.train_y[inside])) > 1:
            for index, model in enumerate(models):
                model.fit(lesson.train_x[inside], lesson.train_y[inside])
                right[index] += np.sum(model.predict(lesson.train_x[outside]) == lesson.train_y[outside])
    return _searched(lesson, models[int(np.argmax(right))], {})


def _logistic_model(strength: float = 1.0) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=200, tol=1e-3)


def _accuracy_folds(groups: npt.NDArray[np.int64] | None, classes: npt.NDArray[Any]) -> Iterator[Any]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

    if groups is not None:
        folds: Any = GroupKFold(FOLDS)
    elif int(np.unique(classes, return_counts=True)[1].min()) >= FOLDS:
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    else:
        folds = KFold(min(FOLDS, len(classes)), shuffle=True, random_state=0)
    yield from folds.split(np.zeros((len(classes), 1)), classes, groups)


def svm(lesson: Lesson) -> Outputs:
    """See the module."""
    from sklearn.svm import LinearSVC, LinearSVR

    model = LinearSVR(tol=1e-3) if lesson.kind == "regression" else LinearSVC(tol=1e-3)
    return _searched(lesson, model, {"C": [0.1, 1.0, 10.0, 100.0]})


def boosting(lesson: Lesson) -> Outputs:
    """See the module."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    count = min(COMPONENTS, *lesson.train_x.shape)
    kind = HistGradientBoostingRegressor if lesson.kind == "regression" else HistGradientBoostingClassifier
    early = _can_hold_back(lesson)
    trees = kind(max_iter=100, max_leaf_nodes=15, early_stopping=early, n_iter_no_change=5, random_state=0)
    return _searched(lesson, make_pipeline(PCA(count, random_state=0), trees), {})


def mlp(lesson: Lesson, stop_early: bool = True) -> Outputs:
    """See the module; without `stop_early` it is trained to the end, for who corrects its sureness afterwards."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if lesson.kind == "regression" else MLPClassifier
    # Rows have mean norm 1; the solver's default steps are made for a spread of about 1 a dimension.
    early = stop_early and len(lesson.train_x) >= MIN_EARLY and _can_hold_back(lesson)
    factor = float(np.sqrt(lesson.train_x.shape[1]))
    wide = replace(lesson, train_x=factor * lesson.train_x, test_x=factor * lesson.test_x)
    return _searched(wide, kind(hidden_layer_sizes=(128,), early_stopping=early, max_iter=100, random_state=0), {})


FAMILIES: Mapping[str, Family] = {
    "ridge": ridge,
    "knn": knn,
    "logistic": logistic,
    "svm": svm,
    "boosting": boosting,
    "mlp": mlp,
}


def families_for(kind: Kind, names: Sequence[str]) -> list[str]:
    """Those of the named families that a kind of task takes.

    Raises:
        UsageError: a name that is no family, or none that takes the kind.
    """
    for name in names:
        if name not in FAMILIES:
            raise UsageError(f"--predictors {name}: known are quick, all, {', '.join(FAMILIES)}")
    without = {"classification": (), "regression": ("logistic",), "multilabel": ("boosting",)}[kind]
    fitting = [name for name in names if name not in without]
    if not fitting:
        raise UsageError(f"--predictors {','.join(names)}: takes no task of kind {kind}")
    return fitting


def _can_hold_back(lesson: Lesson) -> bool:
    """Whether a tenth of the training side can hold every class, as scikit-learn's early stopping wants it."""
    if lesson.kind != "classification":
        return True
    counts = np.unique(lesson.train_y, return_counts=True)[1]
    return bool(counts.min() >= 2 and len(lesson.train_y) >= 10 * len(counts))


def _searched(lesson: Lesson, model: Any, grid: Mapping[str, Sequence[float]]) -> Outputs:
    """Fit a scikit-learn model, its strength by cross-validation where there is a grid."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier

    y = lesson.train_y
    mean, spread = (float(y.mean()), float(y.std()) or 1.0) if lesson.kind == "regression" else (0.0, 1.0)
    if lesson.kind == "regression":
        y = (y - mean) / spread
    if lesson.kind == "multilabel" and "neural" not in type(model).__module__:
        model, grid = OneVsRestClassifier(model), {f"estimator__{key}": values for key, values in grid.items()}
    if lesson.kind == "classification" and len(np.unique(y)) < 2:
        raise UsageError("a split's training side holds one class only; use fewer folds or more samples")
    if grid:
        classes = y if lesson.kind == "classification" else None
        fold = fold_numbers(lesson.units, classes, FOLDS, 0)
        folds = [(np.flatnonzero(fold != i), np.flatnonzero(fold == i)) for i in range(FOLDS) if (fold == i).any()]
        model = GridSearchCV(model, dict(grid), cv=folds, scoring=_log_likelihood if classes is not None else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about rare classes and slow convergence: the same for raw and decoded
        model.fit(lesson.train_x, y)
        if lesson.kind == "regression":
            return Outputs((np.asarray(model.predict(lesson.test_x), np.float64) * spread + mean)[:, None])
        if hasattr(model, "predict_proba"):
            found = np.asarray(model.predict_proba(lesson.test_x), np.float64)
            if lesson.kind == "multilabel":
                return Outputs(found.reshape(-1, lesson.width))
            spread_out = _all_classes(found, model.classes_, lesson.width, 0.0)
            return Outputs(spread_out, spread_out)
        found = np.asarray(model.decision_function(lesson.test_x), np.float64)
    if lesson.kind == "multilabel":
        return Outputs(found.reshape(-1, lesson.width), threshold=0.0)
    found = np.stack([-found, found], axis=1) if found.ndim == 1 else found
    return Outputs(_all_classes(found, model.classes_, lesson.width, -np.inf))


def _log_likelihood(model: Any, x: Floats, y: npt.NDArray[Any]) -> float:
    """Mean log-likelihood of held-out classes, or accuracy where a model gives no probabilities.

    Strengths picked by accuracy leave log loss to luck: it then varied twice as much between training sets.
    """
    if not hasattr(model, "predict_proba"):
        return float(model.score(x, y))
    known = np.asarray(y[:, None] == model.classes_)
    return float(np.mean(np.log(np.sum(known * model.predict_proba(x), axis=1) + 1e-3)))


def _all_classes(found: Floats, classes: npt.NDArray[Any], width: int, absent: float) -> Floats:
    """Columns for all classes of the task, also for those that the training side lacks."""
    result = np.full((len(found), width), absent)
    result[:, classes.astype(np.intp)] = found
    return result


def _softmax(x: Floats) -> Floats:
    exponentials: Floats = np.exp(x - x.max(axis=1, keepdims=True))
    result: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return result


def _nearest(
    train: Floats,
    queries: Floats,
    k: int,
    units: npt.NDArray[np.int64] | None = None,
    of_queries: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.intp]:
    """(q, k) the training rows most like each query, nearest first; those of the query's own unit left out."""
    found = []
    for start in range(0, len(queries), BLOCK):
        likeness = queries[start : start + BLOCK] @ train.T
        if units is not None and of_queries is not None:
            likeness[of_queries[start : start + BLOCK, None] == units] = -np.inf
        some = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(likeness, some, 1), axis=1, kind="stable")
        found.append(np.take_along_axis(some, order, 1))
    return np.concatenate(found)


def _vote(neighbours: Floats, share: Floats) -> Floats:
    """(q, k, width) -> (q, width) their mean, with one more vote that says what the training side says on average."""
    result: Floats = (neighbours.sum(axis=1) + share) / (neighbours.shape[1] + 1)
    return result

"""Probes: predictors trained on one side of a split and tested on the other, on what a codec gives back.

features, target, holdout --> a lesson for each split --> what a family says of the test side --> scores
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.families import Family, Lesson, logistic_by_accuracy, make_lesson, ridge
from taskcodec.evaluation.predictors.linear import (
    DEFAULT_SCALING,
    Floats,
    Labels,
    Scaling,
    check_finite,
    scale_features,
)
from taskcodec.evaluation.predictors.metrics import Answers, score
from taskcodec.evaluation.scores.intervals import Scores
from taskcodec.evaluation.tasks.holdout import Holdout, Split
from taskcodec.evaluation.tasks.targets import Target

Float32s = npt.NDArray[np.float32]
Predictor = Literal["ridge", "logistic"]
PROBES: Mapping[Predictor, Family] = {"ridge": ridge, "logistic": logistic_by_accuracy}
"""Of classes; numbers are always regressed by ridge."""


def answers(features: Float32s, target: Target, holdout: Holdout, split: Split, family: Family) -> Answers:
    """What a family, trained on the training side of a split, says of its test side; (n, d) features."""
    own = split.among(target.rows)
    outputs = family(make_lesson(target, features, holdout, own))
    return Answers(holdout.units[own.test], target.spread(len(features))[own.test], outputs)


def probed(
    target: Target, holdout: Holdout, decoded: Sequence[Float32s], predictor: Predictor = "ridge"
) -> list[Answers]:
    """What a probe says of each split's test side.

    decoded: for each split, all n features as they come back from the codec, (n, d); the same array may be repeated.
    """
    if len(decoded) != len(holdout.splits):
        raise UsageError(f"{target.name}: {len(decoded)} decoded arrays for {len(holdout.splits)} splits")
    family = PROBES[predictor] if target.kind == "classification" else ridge
    pairs = list(zip(holdout.splits, decoded, strict=True))
    if target.kind == "classification":
        for split in holdout.splits:
            _check_classes(target.values[np.isin(target.rows, split.train)])
    return [answers(features, target, holdout, split, family) for split, features in pairs]


def probe_scores(
    target: Target, holdout: Holdout, decoded: Sequence[Float32s], predictor: Predictor = "ridge"
) -> Scores:
    """The main metric of a task of classes or numbers, by one probe a split. decoded: as of `probed`."""
    found = score(target, probed(target, holdout, decoded, predictor))[target.metric]
    assert isinstance(found, Scores)  # of several labels there is a ranking
    return found


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """What a probe said about the test samples.

    Attributes:
        value: over all test samples, the share of right answers (0 to 1) or R2, the explained variance (1 at best).
        predictions: (m,) predicted labels or target values.
        targets: (m,) true labels or target values.
    """

    value: float
    predictions: Labels
    targets: Labels

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(m,) which test samples were predicted exactly."""
        return np.asarray(self.predictions == self.targets, dtype=np.bool_)


def r2(targets: Floats, predictions: Floats) -> float:
    """1 - squared error / squared deviation from the targets' own mean."""
    return float(1 - np.sum((targets - predictions) ** 2) / np.sum((targets - targets.mean()) ** 2))


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
    lesson = _lesson(train_x, train_y, test_x, test_y, scaling, groups)
    _check_classes(train_y)
    classes, numbers = np.unique(train_y, return_inverse=True)
    outputs = PROBES[predictor](replace(lesson, kind="classification", width=len(classes), train_y=numbers))
    predictions = classes[np.argmax(outputs.scores, axis=1)]
    return ProbeResult(float(np.mean(test_y == predictions)), predictions, test_y)


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
    said = ridge(_lesson(train_x, numbers, test_x, truth, scaling, groups)).scores[:, 0]
    return ProbeResult(r2(truth, said), said, truth)


def _lesson(
    train_x: Floats, train_y: Labels, test_x: Floats, test_y: Labels, scaling: Scaling, groups: Labels | None
) -> Lesson:
    """A checked lesson in regression."""
    if train_x.ndim != 2 or test_x.ndim != 2 or train_x.shape[1] != test_x.shape[1]:
        raise UsageError(f"probe: features must be (n, d) with one d, found {train_x.shape} and {test_x.shape}")
    if len(train_x) != len(train_y) or len(test_x) != len(test_y):
        raise UsageError(
            f"probe: one target a row, found {len(train_x)} rows with {len(train_y)} targets (train) "
            f"and {len(test_x)} rows with {len(test_y)} targets (test)"
        )
    if len(train_x) < 2 or len(test_x) < 1:
        raise UsageError("probe: needs at least two training samples and one test sample")
    check_finite(train_x, test_x)
    train, test = scale_features(train_x, test_x, scaling)
    units = np.unique(np.arange(len(train_x)) if groups is None else groups, return_inverse=True)[1].astype(np.int64)
    return Lesson("regression", 1, train, train_y, test, units, groups is not None)


def _check_classes(labels: Labels) -> None:
    found = len(np.unique(labels))
    if found < 2:
        raise UsageError(f"probe: needs at least two classes in the training labels, found {found}")

"""Metrics: what predictors said --> scores that a bootstrap can draw.

classification  accuracy; top5_accuracy where there are more than 5 classes; log_loss in bits, with each probability
                mixed with SMOOTHING of the uniform one, so that a single sure mistake cannot decide the mean
multilabel      map: average precision of each label's ranking, averaged over labels (macro); subset_accuracy: the share
                of samples with every label right
regression      r2, mae (mean absolute error)
retrieval       recall@k: the share of queries with one of their class among the k nearest (Jegou, Douze, Schmid 2011;
                Oh Song et al. 2016); retrieval_map: mean over queries of the average precision of the whole ranking
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.families import Outputs
from taskcodec.evaluation.scores.intervals import Drawn, Scores
from taskcodec.evaluation.scores.verdict import Metric
from taskcodec.evaluation.tasks.targets import Target

Floats = npt.NDArray[np.float64]
SMOOTHING = 1e-3
TOP = 5

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "points", True, True, 0.01),
        Metric("top5_accuracy", "points", True, True, 0.01),
        Metric("log_loss", "bits", False, False, 0.05),
        Metric("map", "points", True, False, 0.01),
        Metric("subset_accuracy", "points", True, True, 0.01),
        Metric("r2", "R2", True, False, 0.02),
        Metric("mae", "units of the label", False, False, 0.02),
        Metric("recall@1", "points", True, True, 0.01),
        Metric("recall@5", "points", True, True, 0.01),
        Metric("recall@10", "points", True, True, 0.01),
        Metric("retrieval_map", "points", True, False, 0.01),
    )
}
"""By name. The delta of mae is a share of the labels' own mean absolute deviation."""


@dataclass(frozen=True, eq=False)
class RankingScores(Drawn):
    """Scores of labels, whose metric is the mean average precision over rankings, one for each label and split.

    Attributes:
        units: (r,) what the bootstrap draws.
        scores: (r, l) the higher, the surer.
        truth: (r, l) whether the sample has the label.
        parts: (r,) the split a row was tested in: rows of different predictors are not ranked together.
    """

    units: npt.NDArray[np.int64]
    scores: Floats
    truth: npt.NDArray[np.bool_]
    parts: npt.NDArray[np.intp]

    def values(self, weights: npt.NDArray[Any]) -> Floats:
        """The metric for each row of weights (b, u): how often each unit was drawn.

        A label without positive samples in a part says nothing there.
        """
        total, rankings = np.zeros(len(weights)), np.zeros(len(weights))
        for order, truth, ends in self._rankings:
            drawn = weights[:, self._inverse[order]].astype(np.float64)
            right = drawn * truth
            precision = np.cumsum(right, axis=1)[:, ends] / np.maximum(np.cumsum(drawn, axis=1)[:, ends], 1)
            positive = right.sum(axis=1)
            total += np.sum(right * precision, axis=1) / np.maximum(positive, 1)
            rankings += positive > 0
        result: Floats = total / np.maximum(rankings, 1)
        return result

    @cached_property
    def _inverse(self) -> npt.NDArray[np.intp]:
        return np.unique(self.units, return_inverse=True)[1]

    @cached_property
    def _rankings(self) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_], npt.NDArray[np.intp]]]:
        """For each part and label: rows by falling score, their truth, and for each the last row of the same score."""
        found = []
        for part in np.unique(self.parts):
            rows = np.flatnonzero(self.parts == part)
            for label in range(self.scores.shape[1]):
                truth = self.truth[rows, label]
                if truth.any():
                    order = np.argsort(-self.scores[rows, label], kind="stable")
                    ranked = -self.scores[rows[order], label]
                    found.append((rows[order], truth[order], np.searchsorted(ranked, ranked, "right") - 1))
        return found


@dataclass(frozen=True, eq=False)
class Answers:
    """The test side of one split: rows and units (m,), targets as in a lesson, and what a predictor said."""

    units: npt.NDArray[np.int64]
    targets: npt.NDArray[Any]
    outputs: Outputs


def score(target: Target, tested: Sequence[Answers]) -> dict[str, Drawn]:
    """The metrics of one family on one task over all splits."""
    units = np.concatenate([one.units for one in tested])
    if target.kind == "regression":
        truth = np.concatenate([one.targets for one in tested])
        said = np.concatenate([one.outputs.scores[:, 0] for one in tested])
        return {"r2": Scores(units, truth, said, "r2"), "mae": mean_scores(units, np.abs(truth - said))}
    if target.kind == "multilabel":
        parts = np.repeat(np.arange(len(tested)), [len(one.units) for one in tested])
        held = np.concatenate([one.targets > 0 for one in tested])
        wrong = [((one.outputs.scores > one.outputs.threshold) != (one.targets > 0)).any(axis=1) for one in tested]
        ranking = RankingScores(units, np.concatenate([one.outputs.scores for one in tested]), held, parts)
        return {"map": ranking, "subset_accuracy": mean_scores(units, ~np.concatenate(wrong))}
    truth = np.concatenate([one.targets for one in tested])
    scores = np.concatenate([one.outputs.scores for one in tested])
    right = (np.argmax(scores, axis=1) == truth).astype(np.float64)
    found = {"accuracy": Scores(units, np.ones(len(right)), right, "accuracy")}
    if target.width > TOP:
        best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        found["top5_accuracy"] = mean_scores(units, (best == truth[:, None]).any(axis=1))
    probabilities = [one.outputs.probabilities for one in tested]
    given = [part for part in probabilities if part is not None]
    if len(given) == len(tested):
        said = np.take_along_axis(np.concatenate(given), truth[:, None], 1)[:, 0]
        found["log_loss"] = mean_scores(units, -np.log2((1 - SMOOTHING) * said + SMOOTHING / target.width))
    return dict(found)


def mean_scores(units: npt.NDArray[np.int64], per_row: npt.NDArray[Any]) -> Scores:
    """Scores whose metric is the mean over rows."""
    values = np.asarray(per_row, dtype=np.float64)
    return Scores(units, np.ones(len(values)), values, "mean")


def deltas(specs: Sequence[str]) -> dict[str, float]:
    """Losses that count as none: "0.5" (points, for every metric counted in them) or "METRIC=VALUE" in its own unit.

    Returns:
        By metric, in the metric's own scale (0.005 for half a point).

    Raises:
        UsageError: an unknown metric, or a value that is no positive number.
    """
    found: dict[str, float] = {}
    for spec in specs:
        name, _, text = spec.rpartition("=")
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if name and name not in METRICS:
            raise UsageError(f"--delta {spec}: known metrics are {', '.join(METRICS)}")
        if not 0 < value < float("inf"):
            raise UsageError(f"--delta {spec}: expected a positive number, or METRIC=NUMBER")
        for metric in [METRICS[name]] if name else METRICS.values():
            if name or metric.unit == "points":
                found[metric.name] = value / metric.scale
    return found

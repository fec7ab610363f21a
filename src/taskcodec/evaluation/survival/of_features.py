"""Does prediction survive? Predictors on decoded against raw features, task by task, with a verdict for every metric.

    raw (n, d), decoded (n, d), targets --> splits --> probes on each --> paired excess --> verdict

Every split trains one predictor on raw and one on decoded features, each with its own regularisation, and tests them on
the same samples. Retrieval and few-shot learning train nothing, or next to nothing. What comes back is one row for each
(task, predictor, metric), in the order of importance: a task's first row is its headline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.engines.encode.local import Progress
from taskcodec.errors import MismatchError, UsageError
from taskcodec.evaluation.predictors.families import FAMILIES, QUICK, families_for
from taskcodec.evaluation.predictors.metrics import METRICS, Answers, score
from taskcodec.evaluation.predictors.neighbours import SHOTS, few_shot_scores, retrieval_scores
from taskcodec.evaluation.predictors.probing import answers
from taskcodec.evaluation.rates.curves import Row, figures
from taskcodec.evaluation.scores.intervals import Drawn
from taskcodec.evaluation.scores.verdict import LOSSLESS, Metric, excess, interval, judge, widening
from taskcodec.evaluation.tasks.holdout import Holdout, Split, Splits, hold_out, unit_numbers
from taskcodec.evaluation.tasks.targets import Target

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True)
class JudgedRow(Row):
    """A line of the results with what follows from it.

    Attributes:
        kind: of the task: "classification", "multilabel" or "regression".
        unit: of a loss in words; "points" are hundredths of the values here.
        higher_is_better: whether a negative difference is a loss.
        delta: the loss that counts as none, in the scale of the values.
        verdict: "lossless within delta", "not lossless" or "not enough data to tell".
        samples_needed: about how many samples would decide; None where these did.
        words: the verdict in a sentence.
    """

    kind: str
    unit: str
    higher_is_better: bool
    delta: float
    verdict: str
    samples_needed: int | None
    words: str


@dataclass(frozen=True)
class Coded:
    """What is evaluated: names for the rows, and the rate from real bytes."""

    name: str
    codec: str
    setting: str
    bits_per_sample: float


@dataclass(frozen=True)
class EvaluationPlan(Splits):
    """How to measure: on which splits, and the following.

    Attributes:
        predictors: names from FAMILIES.
        deltas: by metric, in its own scale; a metric's own delta where it is not named.
    """

    predictors: Sequence[str] = QUICK
    deltas: Mapping[str, float] | None = None


@dataclass(frozen=True, eq=False)
class Compared:
    """What is compared, row by row the same samples.

    Attributes:
        raw, decoded: (n, d) features.
        ids: (n,) names; samples of one id are one.
        groups: (n,) samples of one group are never on both sides of a split; None for a sample of no group.
    """

    raw: Float32s
    decoded: Float32s
    ids: Sequence[str]
    groups: Sequence[Any] | None = None


@dataclass(frozen=True, eq=False)
class _Measured:
    probe: str
    metric: str
    decoded: Drawn
    raw: Drawn


def evaluate_features(
    compared: Compared,
    targets: Sequence[Target],
    coded: Coded,
    *,
    plan: EvaluationPlan | None = None,
    progress: Progress | None = None,
) -> list[JudgedRow]:
    """Measure every task on decoded against raw features.

    Args:
        compared: the features.
        targets: the tasks, whose rows index the features.
        coded: what the rows are named after.
        plan: predictors, splits and deltas.
        progress: called with (steps done, steps in all).

    Raises:
        MismatchError: raw and decoded features, or ids, do not belong together.
        UsageError: samples on both sides of folders, too few samples, unknown predictors.
    """
    plan = plan or EvaluationPlan()
    raw, decoded, ids = compared.raw, compared.decoded, compared.ids
    if raw.shape != decoded.shape or len(ids) != len(raw):
        raise MismatchError(f"{coded.name}: raw features {raw.shape}, decoded {decoded.shape}, {len(ids)} ids")
    for features, what in ((raw, "raw"), (decoded, "decoded")):
        if not np.isfinite(features).all():
            raise MismatchError(f"{coded.name}: NaN or infinity among the {what} features")
    units = unit_numbers(raw, ids, compared.groups)
    holdouts, total = [], 0
    for target in targets:
        classes = target.values if target.kind == "classification" else None
        holdouts.append(hold_out(target.rows, units, classes, ids, plan))
        total += len(holdouts[-1].splits) * len(families_for(target.kind, plan.predictors))
        total += 2 * (target.kind == "classification")
    steps = _Steps(progress, total)
    rows = []
    for target, holdout in zip(targets, holdouts, strict=True):
        found = _probed(raw, decoded, target, holdout, families_for(target.kind, plan.predictors), steps)
        if target.kind == "classification":
            found += _neighbourly(raw, decoded, target, holdout, plan.seed, steps)
        rows += [_row(measured, target, holdout, coded, plan) for measured in found]
    return rows


def headlines(rows: Sequence[JudgedRow]) -> list[JudgedRow]:
    """The first row of every task: its main metric with the first predictor."""
    return list({row.task: row for row in reversed(rows)}.values())[::-1]


class _Steps:
    """Counts steps for a progress bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)


def _probed(
    raw: Float32s, decoded: Float32s, target: Target, holdout: Holdout, names: Sequence[str], steps: _Steps
) -> list[_Measured]:
    """The metrics of every family of predictors, those of the first family first."""
    result = []
    for name in names:
        tested: tuple[list[Answers], list[Answers]] = ([], [])
        for split in holdout.splits:
            for features, into in zip((raw, decoded), tested, strict=True):
                into.append(answers(features, target, holdout, split, FAMILIES[name]))
            steps()
        scored = [score(target, side) for side in tested]
        result += [_Measured(name, metric, scored[1][metric], scored[0][metric]) for metric in scored[0]]
    return result


def _neighbourly(
    raw: Float32s, decoded: Float32s, target: Target, holdout: Holdout, seed: int, steps: _Steps
) -> list[_Measured]:
    """Retrieval and few-shot learning; folds train nothing here, so all rows look among all others."""
    classes = np.full(len(raw), -1, np.intp)
    classes[target.rows] = target.values
    split = holdout.splits[0] if len(holdout.splits) == 1 else Split(target.rows, target.rows)
    found = [retrieval_scores(features, classes, holdout.units, split, seed) for features in (raw, decoded)]
    result = [_Measured("retrieval", name, found[1][name], found[0][name]) for name in found[0]]
    steps()
    for shots in SHOTS:
        pair = [few_shot_scores(features, classes, holdout.units, split, shots, seed) for features in (raw, decoded)]
        if pair[0] is not None and pair[1] is not None:
            result.append(_Measured(f"{shots}-shot", "accuracy", pair[1], pair[0]))
    steps()
    return result


def _row(measured: _Measured, target: Target, holdout: Holdout, coded: Coded, plan: EvaluationPlan) -> JudgedRow:
    metric = _metric_for(measured.metric, target)
    wider = widening(measured.probe, metric.name)
    try:
        difference = excess(measured.decoded, measured.raw, metric, widening=wider, seed=plan.seed)
        value = interval(measured.decoded, seed=plan.seed)
    except UsageError as error:
        raise UsageError(f"{target.name}: {metric.name} {error}") from error
    tested = np.unique(np.concatenate([split.test for split in holdout.splits]))
    samples = int(np.isin(holdout.units[tested], measured.raw.units).sum())
    given = (plan.deltas or {}).get(metric.name)
    verdict = judge(difference, metric, measured.raw.unit_count, samples, given)
    idle = _nothing_to_lose(measured, target, tested, plan.seed) if verdict.verdict == LOSSLESS else ""
    return JudgedRow(
        regime="store",
        codec=coded.codec,
        setting=coded.setting,
        set=coded.name,
        task=target.name,
        metric=metric.name,
        probe=measured.probe,
        split="all others" if measured.probe == "retrieval" and len(holdout.splits) > 1 else holdout.words,
        samples=samples,
        bits_per_sample=coded.bits_per_sample,
        **figures(value, measured.raw.value, difference),
        kind=target.kind,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        delta=verdict.delta,
        verdict=verdict.verdict,
        samples_needed=verdict.samples_needed,
        words=verdict.words + idle,
    )


def _nothing_to_lose(measured: _Measured, target: Target, tested: npt.NDArray[np.intp], seed: int) -> str:
    """What to add to "lossless" where raw features predict nothing either; empty where they do."""
    if measured.probe not in FAMILIES or measured.metric not in ("accuracy", "r2"):
        return ""
    guess, what = 0.0, "the mean of all"
    if measured.metric == "accuracy":
        values = target.values[np.isin(target.rows, tested)]
        guess = float(np.unique(values, return_counts=True)[1].max() / len(values))
        what = f"the most frequent class ({100 * guess:.1f} %)"
    if interval(measured.raw, seed=seed).low > guess:
        return ""
    return f", but raw features predict no better than {what}: there is nothing to lose in this task"


def _metric_for(name: str, target: Target) -> Metric:
    """The metric; the delta of mae becomes a share of how far the labels lie from their median."""
    metric = METRICS[name]
    if name != "mae":
        return metric
    return replace(metric, delta=metric.delta * float(np.mean(np.abs(target.values - np.median(target.values)))))

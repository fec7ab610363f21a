"""Rate-accuracy points and curves: what one codec setting did on every set, and what lies between two settings.

Point: codec at a setting --> bits a sample (real bytes) and Scores, for each (set, task)
rows(points)              --> flat records with intervals, ready for JSON; mean_rows(points): the means over sets
table(points, rates)      --> mean accuracy of each codec at fixed rates, paired with raw features
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.predictors.metrics import METRICS
from taskcodec.evaluation.rates.matched import RATE_SLACK
from taskcodec.evaluation.scores.intervals import (
    Interval,
    Scores,
    bootstrap,
    interpolate_scores,
    mean_difference,
    mean_over_sets,
    paired_difference,
)

Key = tuple[str, str]  # set, task
MEAN_SET, MEAN_TASK = "all sets", "mean accuracy"
"""What rows of means over several sets are named."""
MAX_NUMBER = 1e15
"""No number in a results file is larger: what draws them would not hold it."""
ROUNDING = 1e-9
"""Means of shares may lie so far beyond 0 and 1."""


@dataclass(frozen=True, eq=False)
class Point:
    """One codec at one setting in one regime. bits: by set, per sample; scores: by (set, task)."""

    regime: str
    codec: str
    setting: str
    bits: Mapping[str, float]
    scores: Mapping[Key, Scores]

    @property
    def mean_bits(self) -> float:
        """Plain mean over the sets."""
        return float(np.mean(list(self.bits.values())))

    @property
    def accuracies(self) -> list[Scores]:
        """The classification scores, in the order of their keys."""
        return [self.scores[key] for key in self._classified]

    @property
    def accuracy_sets(self) -> list[str]:
        """The set of each of them: one that has several tasks is there several times."""
        return [name for name, _ in self._classified]

    @property
    def _classified(self) -> list[Key]:
        return [key for key in sorted(self.scores) if self.scores[key].metric == "accuracy"]


@dataclass(frozen=True)
class Row:
    """One codec setting on one task: a line of the results file. Differences are codec - raw, paired."""

    regime: str
    codec: str
    setting: str
    set: str
    task: str
    metric: str
    probe: str
    split: str
    samples: int
    bits_per_sample: float
    value: float
    low: float
    high: float
    raw_value: float
    difference: float
    difference_low: float
    difference_high: float


def figures(value: Interval, raw_value: float, difference: Interval) -> dict[str, float]:
    """The last fields of a row."""
    return {
        "value": value.value, "low": value.low, "high": value.high, "raw_value": raw_value,
        "difference": difference.value, "difference_low": difference.low, "difference_high": difference.high,
    }  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Mean accuracy over sets at one rate. difference: codec - raw features, paired."""

    regime: str
    codec: str
    rate_bits: float
    accuracy: Interval
    difference: Interval


def rows(points: Sequence[Point], raw: Point, probe: str, split: str | Mapping[str, str]) -> list[Row]:
    """Every point's tasks as flat records. probe, split: which predictor, and how the sets (by name) were split."""
    result = []
    for point in points:
        for key in sorted(point.scores):
            scores, reference = point.scores[key], raw.scores[key]
            try:
                value, difference = bootstrap(scores), paired_difference(scores, reference)
            except UsageError as error:
                raise UsageError(f"{', '.join(key)}: {scores.metric} {error}") from error
            words = split if isinstance(split, str) else split[key[0]]
            result.append(
                Row(
                    point.regime, point.codec, point.setting, key[0], key[1], scores.metric, probe, words,
                    scores.unit_count, point.bits[key[0]], **figures(value, reference.value, difference),
                )
            )  # fmt: skip
    return result


def mean_rows(points: Sequence[Point], raw: Point, probe: str) -> list[Row]:
    """For each point that was measured on all of raw's sets, the plain means of its accuracies and of its rates."""
    result = []
    for point in points:
        if len(raw.accuracies) < 2 or point.scores.keys() != raw.scores.keys():
            continue
        sets = point.accuracy_sets
        value = mean_over_sets(point.accuracies, sets)
        difference = mean_difference(point.accuracies, raw.accuracies, sets)
        raw_value = float(np.mean([scores.value for scores in raw.accuracies]))
        counts: dict[str, int] = {}
        for name, scores in zip(sets, point.accuracies, strict=True):
            counts[name] = max(counts.get(name, 0), scores.unit_count)  # a task may lack labels of some
        result.append(
            Row(
                point.regime, point.codec, point.setting, MEAN_SET, MEAN_TASK, "accuracy", probe, "as its sets",
                sum(counts.values()), point.mean_bits, **figures(value, raw_value, difference),
            )
        )  # fmt: skip
    return result


def curve(points: Sequence[Point], regime: str, codec: str) -> list[Point]:
    """One codec's points in one regime, by growing mean rate."""
    return sorted((p for p in points if (p.regime, p.codec) == (regime, codec)), key=lambda point: point.mean_bits)


def at_rate(line: Sequence[Point], bits: float) -> list[Scores] | None:
    """Classification scores of a curve at a mean rate, interpolated in log rate between its neighbouring points.

    None where the curve does not reach the rate; RATE_SLACK beyond an end counts as reached.
    """
    if not line:
        raise UsageError("at rate: the curve has no points")
    rates = [point.mean_bits for point in line]
    if not rates[0] / RATE_SLACK <= bits <= rates[-1] * RATE_SLACK:
        return None
    upper = int(np.searchsorted(rates, bits))
    if upper == 0 or upper == len(rates):
        return line[min(upper, len(rates) - 1)].accuracies
    low, high = line[upper - 1], line[upper]
    share = math.log(bits / low.mean_bits) / math.log(high.mean_bits / low.mean_bits)
    pairs = zip(low.accuracies, high.accuracies, strict=True)
    return [interpolate_scores(first, second, share) for first, second in pairs]


def table(points: Sequence[Point], raw: Point, rates: Sequence[float]) -> list[Cell]:
    """Mean accuracy of every codec at every rate its curve reaches; a codec of one point stands at its own rate."""
    cells = []
    for regime, codec in dict.fromkeys((point.regime, point.codec) for point in points):
        line = curve(points, regime, codec)
        for rate in rates if len(line) > 1 else [line[0].mean_bits]:
            scores = at_rate(line, rate)
            if scores is not None:
                sets = raw.accuracy_sets
                difference = mean_difference(scores, raw.accuracies, sets)
                cells.append(Cell(regime, codec, float(rate), mean_over_sets(scores, sets), difference))
    return cells


def as_records(items: Sequence[Row] | Sequence[Cell]) -> list[dict[str, Any]]:
    """Plain dicts for JSON."""
    return [asdict(item) for item in items]


def is_text(value: Any) -> bool:
    """Whether a value of a JSON file is text that can be written again: half a surrogate pair cannot."""
    return isinstance(value, str) and value.encode("utf-8", "replace").decode() == value


def _nonsense(record: Mapping[str, Any]) -> str | None:
    """What no measurement gives, although every field is a number, in words; None where all is well."""
    for name in ("samples", "bits_per_sample"):
        if record[name] < 0:
            return f"{name} is {record[name]}, below 0"
    for low, high in (("low", "high"), ("difference_low", "difference_high")):
        if record[low] > record[high]:
            return f"an interval upside down: {low} {record[low]:g}, {high} {record[high]:g}"
    metric = METRICS.get(record["metric"])
    if metric is None:
        return None
    least, most = metric.range
    for name in ("value", "low", "high", "raw_value"):
        if record[name] < least - ROUNDING or record[name] > most + ROUNDING:
            return f"{name} is {record[name]:g}, and {metric.name} is between {least:g} and {most:g}"
    return None


def read_rows(file: Path) -> list[Row]:
    """Rows of a results file, a JSON list; fields that a row has beside its own (of `evaluate --json`) are left out.

    Raises:
        SourceError: no such file, or not rows.
    """
    kinds = {field.name: field.type for field in fields(Row)}
    try:
        records = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: cannot be read as JSON ({error})") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records) or not records:
        raise SourceError(f"{file}: expected a list of rows, as `taskcodec benchmark` writes it")
    rows = []
    for number, record in enumerate(records):
        for name, kind in kinds.items():
            value = record.get(name)
            good = is_text(value) if kind == "str" else isinstance(value, int | float) and not abs(value) > MAX_NUMBER
            if not good or isinstance(value, bool):
                raise SourceError(f"{file}: row {number}: {name} is {value!r}, expected {kind}")
        if (fault := _nonsense(record)) is not None:
            raise SourceError(f"{file}: row {number}: {fault}")
        rows.append(Row(**{name: record[name] for name in kinds}))
    return rows

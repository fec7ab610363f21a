"""Rows of a results file as the curves that a report draws, and ours matched against its peers.

    rows --> groups (one a task, and the mean over sets) --> panels (one a regime) --> series (one a codec)

Codecs that need no fit (regime "as is") stand beside those of every regime.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from taskcodec.evaluation.predictors.metrics import METRICS
from taskcodec.evaluation.rates.curves import MEAN_SET, Row
from taskcodec.evaluation.rates.matched import CurvePoint, Factor, factor, needed_bits
from taskcodec.evaluation.rates.regimes import AS_IS, RAW
from taskcodec.evaluation.scores.verdict import too_few
from taskcodec.words import counted

OURS = "taskcodec"
HEADLINE_LOSS = 0.01
"""The headline's rate is the cheapest at which ours stays this close to raw features."""
CURVE_FAMILIES = (
    "ours",
    "pixel codecs",
    "product quantization",
    "learned",
    "numbers stored plainly",
    "transform codecs",
    "others",
)
_MEMBERS = {
    "pixel codecs": ("png", "jpeg", "jpg", "webp", "avif", "jpeg xl", "jpegxl", "jxl", "heic"),
    "product quantization": ("pq", "opq", "rq", "lsq", "aq"),
    "learned": ("lclp",),
    "transform codecs": ("klt", "step"),
    "numbers stored plainly": ("float32", "float16", "int8", "sign", "sq", "sq4", "sq6", "sq8", "zstd", "pca"),
}  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One codec in one panel: its points by growing rate. Intervals are those of the difference to raw features."""

    name: str
    regime: str
    family: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Panel:
    """What one regime shows. raw: the metric on raw features, None where no row says; ours first among the series."""

    regime: str
    raw: float | None
    series: tuple[Series, ...]

    @property
    def ours(self) -> Series | None:
        """The curve of this package's codec: "taskcodec" itself, else its first variant."""
        own = [s for s in self.series if s.family == "ours"]
        return next((s for s in own if s.name == OURS), own[0] if own else None)

    @property
    def peers(self) -> tuple[Series, ...]:
        """All but ours, its variants and the raw features."""
        return tuple(s for s in self.series if s.family != "ours" and s.name != RAW)


@dataclass(frozen=True)
class Group:
    """One task on one set, or the mean over sets."""

    title: str
    metric: str
    samples: int
    sets: int
    panels: tuple[Panel, ...]

    @property
    def higher_is_better(self) -> bool:
        """Of the metric; an unknown one is taken to be."""
        return METRICS[self.metric].higher_is_better if self.metric in METRICS else True


@dataclass(frozen=True)
class Match:
    """Ours at one point against every peer at equal value of the metric."""

    ours: CurvePoint
    target: float
    peers: tuple[tuple[Series, Factor], ...] = field(default=())

    def best(self, family: str | None = None) -> tuple[Series, Factor] | None:
        """The peer (of a family) that needs the fewest bits; None where none gets there."""
        there = [(s, f) for s, f in self.peers if f.value is not None and family in (None, s.family)]
        return min(there, key=lambda pair: (pair[1].value, pair[0].name), default=None)


def family_of(name: str) -> str:
    """Which of CURVE_FAMILIES a codec's name belongs to."""
    words = name.lower()
    if words == OURS or words.startswith((OURS + ",", OURS + " ")):
        return "ours"
    first = words.replace(",", " ").split()
    for family, members in _MEMBERS.items():
        if words in members or (first and first[0] in members):
            return family
    return "others"


def groups_of(rows: Sequence[Row]) -> list[Group]:
    """The mean over sets first (where there are several), then each task in the order of the rows."""
    usable = [row for row in rows if math.isfinite(row.value) and row.bits_per_sample > 0]
    by_task: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
    for row in usable:
        by_task[row.set, row.task, row.metric, row.probe].append(row)
    means = {key: found for key, found in by_task.items() if key[0] == MEAN_SET}
    tasks = {key: found for key, found in by_task.items() if key[0] != MEAN_SET}
    groups = []
    for (_, task, metric, _), found in means.items():
        sets = len({row.set for row in usable if row.set != MEAN_SET and row.metric == metric})
        groups.append(_group(f"{task} over {counted(sets, 'set')}", metric, found, sets))
    if not means:
        groups += [g for probe in dict.fromkeys(key[3] for key in tasks) for g in _means(tasks, probe)]
    probes = len({key[3] for key in by_task})
    for (name, task, metric, probe), found in tasks.items():
        words = f"{name}: {task}" + (f" ({probe})" if probes > 1 else "")
        groups.append(_group(words, metric, found, 1))
    return groups


def caveats(rows: Sequence[Row]) -> list[str]:
    """The tasks that have too few tested samples to tell a codec without loss by, one line each."""
    tasks = {(r.set, r.task, r.metric, r.samples): None for r in rows if r.set != MEAN_SET and r.codec != RAW}
    found = []
    for name, task, metric, samples in tasks:
        words = too_few(METRICS[metric], samples) if metric in METRICS else None
        if words is not None:
            found.append(f"{name}: {task}, {metric}: {words}")
    return found


def match(panel: Panel, point: CurvePoint, higher_is_better: bool = True) -> Match:
    """Ours at a point against every peer of the panel.

    Where ours lies above raw features (by chance, or because coding regularises), peers need only reach raw features.
    """
    sides = [point.value] if panel.raw is None else [point.value, panel.raw]
    target = min(sides) if higher_is_better else max(sides)
    found = [
        (series, factor(point.rate_bits, needed_bits(series.points, target, higher_is_better)))
        for series in panel.peers
    ]
    found.sort(key=lambda pair: (pair[1].value is None, pair[1].value or 0.0, pair[0].name))
    return Match(point, target, tuple(found))


def headline_point(panel: Panel, higher_is_better: bool = True) -> CurvePoint | None:
    """Ours at its cheapest setting within HEADLINE_LOSS of raw features, else at its best; None without ours."""
    if panel.ours is None:
        return None
    sign = 1.0 if higher_is_better else -1.0
    points = panel.ours.points
    if panel.raw is not None:
        near = [p for p in points if sign * (p.value - panel.raw) >= -HEADLINE_LOSS]
        if near:
            return min(near, key=lambda p: p.rate_bits)
    return max(points, key=lambda p: (sign * p.value, -p.rate_bits))


def _means(tasks: dict[tuple[str, str, str, str], list[Row]], probe: str) -> list[Group]:
    """Means over sets of results that hold none: of codec settings measured on every set. The sets are independent."""
    keys = [key for key in tasks if key[2] == "accuracy" and key[3] == probe]
    if len(keys) < 2:
        return []
    found: dict[tuple[str, str, str], dict[tuple[str, str, str, str], Row]] = defaultdict(dict)
    for key in keys:
        for row in tasks[key]:
            found[row.regime, row.codec, row.setting][key] = row
    rows = [_mean(list(parts.values())) for parts in found.values() if len(parts) == len(keys)]
    return [_group(f"mean accuracy over {counted(len(keys), 'set')}", "accuracy", rows, len(keys))] if rows else []


def _mean(parts: Sequence[Row]) -> Row:
    count = len(parts)

    def mean(name: str) -> float:
        return sum(float(getattr(row, name)) for row in parts) / count

    def half(end: str, middle: str) -> float:
        return math.sqrt(sum((getattr(row, end) - getattr(row, middle)) ** 2 for row in parts)) / count

    value, difference, first = mean("value"), mean("difference"), parts[0]
    return Row(
        first.regime, first.codec, first.setting, MEAN_SET, "mean accuracy", "accuracy", first.probe, "as its sets",
        sum(row.samples for row in parts), mean("bits_per_sample"), value, value - half("low", "value"),
        value + half("high", "value"), mean("raw_value"), difference,
        difference - half("difference_low", "difference"), difference + half("difference_high", "difference"),
    )  # fmt: skip


def _group(title: str, metric: str, rows: Sequence[Row], sets: int) -> Group:
    regimes = [r for r in dict.fromkeys(row.regime for row in rows) if r != AS_IS] or [AS_IS]
    panels = []
    for regime in regimes:
        here = [row for row in rows if row.regime in (regime, AS_IS)]
        by_codec: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in here:
            by_codec[row.codec, row.regime].append(row)
        series = []
        for (codec, of), found in by_codec.items():
            points = sorted((_point(row) for row in found), key=lambda p: (p.rate_bits, p.value, p.setting))
            series.append(Series(codec, of, family_of(codec), tuple(points)))
        series.sort(key=lambda s: (CURVE_FAMILIES.index(s.family), s.name != OURS))
        raw = next((row.raw_value for row in here if math.isfinite(row.raw_value)), None)
        panels.append(Panel(regime, raw, tuple(series)))
    return Group(title, metric, max(row.samples for row in rows), sets, tuple(panels))


def _point(row: Row) -> CurvePoint:
    ends = row.difference, row.difference_low, row.difference_high
    if all(math.isfinite(end) for end in ends):  # paired: what codec and raw features share cancels
        low, high = row.value + ends[1] - ends[0], row.value + ends[2] - ends[0]
    else:
        low, high = row.low, row.high
    return CurvePoint(row.bits_per_sample, row.value, low, high, row.setting)

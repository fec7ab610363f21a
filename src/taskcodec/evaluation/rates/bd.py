"""Bjontegaard deltas: one number for the distance between two rate curves.

    anchor: rates, values --+                           +--> BD-rate: mean rate of test against anchor, at equal value
                            +--interpolate, integrate---+
    test:   rates, values --+    over what both cover   +--> BD-metric: mean value of test - anchor, at equal rate

Bjontegaard, "Calculation of average PSNR differences between RD-curves" (VCEG-M33, 2001), through the package
`bjontegaard` (Herglotz et al., "The Bjontegaard Bible", 2024). Rates are taken in logarithms. Piecewise cubic
interpolation (PCHIP) is the default and Akima its alternative; the one cubic through all points of the original text is
there to compare with published figures, and swings between points that are not evenly spaced.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from taskcodec.errors import UsageError
from taskcodec.evaluation.rates.curves import Point
from taskcodec.evaluation.rates.matched import front
from taskcodec.words import counted

Method = Literal["pchip", "akima", "cubic"]
NEEDED_POINTS: dict[str, int] = {"pchip": 2, "akima": 3, "cubic": 4}
USUAL_POINTS = 4
SMALL_OVERLAP_PERCENT = 75.0
"""The package's own limit: below it, a delta says little about the curves as a whole."""


@dataclass(frozen=True)
class RateCurve:
    """Points of one codec, in any order.

    Attributes:
        rates: positive, in any one unit (bits a sample, bits a pixel).
        values: the metric at each rate, in any unit.
    """

    rates: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.values):
            raise UsageError(f"curve: {len(self.rates)} rates for {len(self.values)} values")
        if not all(math.isfinite(rate) and rate > 0 for rate in self.rates):
            raise UsageError("curve: every rate must be a positive number")
        if not all(math.isfinite(value) for value in self.values):
            raise UsageError("curve: every value must be a finite number")


@dataclass(frozen=True)
class Delta:
    """The mean distance from an anchor to a test curve.

    Attributes:
        kind: "rate": per cent, negative where the test needs less; "metric": test - anchor, in the metric's unit.
        value: the distance.
        method: the interpolation.
        overlap_percent: what both curves cover, of what either covers: of the metric (kind "rate") or log rate.
        low: where the stretch that both cover begins, as a metric (kind "rate") or a rate.
        high: where it ends.
        warnings: why not to lean on the value, one line each; empty where nothing is wrong.
    """

    kind: Literal["rate", "metric"]
    value: float
    method: Method
    overlap_percent: float
    low: float
    high: float
    warnings: tuple[str, ...]


def bd_rate(anchor: RateCurve, test: RateCurve, method: Method = "pchip", higher_is_better: bool = True) -> Delta:
    """How much more (or less, negative) rate `test` needs than `anchor` for the same value of the metric, in per cent.

    A curve that does not grow with its rate gives no rate for a value. Of such a curve those points are left out that
    another one matches or beats at no more rate; the result warns of it, because picking winners flatters noise.

    Raises:
        UsageError: too few points for the method (`NEEDED_POINTS`), or no value of the metric that both reach.
    """
    sign = 1.0 if higher_is_better else -1.0
    notes: list[str] = []
    axes = []
    for name, curve in (("anchor", anchor), ("test", test)):
        rates, values = _front(curve, sign)
        if len(rates) < len(curve.rates):
            dropped = len(curve.rates) - len(rates)
            notes.append(f"the {name} curve is not monotone: {dropped} of its {len(curve.rates)} points left out")
        axes.append((sign * values, np.log10(rates)))
    value, overlap, low, high = _delta(axes, method, "metric", notes)
    bounds = sorted((sign * low, sign * high))
    return Delta("rate", 100 * (10**value - 1), method, overlap, bounds[0], bounds[1], tuple(notes))


def bd_metric(anchor: RateCurve, test: RateCurve, method: Method = "pchip", higher_is_better: bool = True) -> Delta:
    """How much more of the metric `test` has than `anchor` at the same rate, in the metric's unit (BD-accuracy, ...).

    All points count; of several at one rate the best. A curve that is not monotone only gives a warning.

    Raises:
        UsageError: too few points for the method (`NEEDED_POINTS`), or no rate that both cover.
    """
    sign = 1.0 if higher_is_better else -1.0
    notes: list[str] = []
    axes = []
    for name, curve in (("anchor", anchor), ("test", test)):
        best: dict[float, float] = {}
        for rate, value in zip(curve.rates, curve.values, strict=True):
            best[rate] = max(value, best.get(rate, value), key=lambda v: sign * v)
        rates = np.array(sorted(best))
        values = np.array([best[rate] for rate in rates])
        if (np.diff(sign * values) <= 0).any():
            notes.append(f"the {name} curve is not monotone")
        axes.append((np.log10(rates), values))
    value, overlap, low, high = _delta(axes, method, "rate", notes)
    return Delta("metric", value, method, overlap, 10**low, 10**high, tuple(notes))


def mean_accuracy_curve(line: Sequence[Point]) -> RateCurve:
    """The points of one codec (see `curves.curve`) as mean rate against mean accuracy over the sets."""
    values = [float(np.mean([scores.value for scores in point.accuracies])) for point in line]
    return RateCurve(tuple(point.mean_bits for point in line), tuple(values))


Axis = tuple[np.ndarray, np.ndarray]


def _front(curve: RateCurve, sign: float) -> Axis:
    """Rates and values, both strictly growing (values times sign): what no other point matches at no more rate."""
    line = front(zip(curve.rates, curve.values, strict=True), lambda point: (point[0], sign * point[1]))
    return np.array([rate for rate, _ in line]), np.array([value for _, value in line])


def _delta(axes: list[Axis], method: Method, along: str, notes: list[str]) -> tuple[float, float, float, float]:
    """Mean of test - anchor along x over the stretch both cover; the overlap in per cent; where that stretch lies."""
    if method not in NEEDED_POINTS:
        raise UsageError(f"BD: method {method!r} is not one of {', '.join(NEEDED_POINTS)}")
    (x_anchor, y_anchor), (x_test, y_test) = axes
    for name, x in (("anchor", x_anchor), ("test", x_test)):
        if len(x) < NEEDED_POINTS[method]:
            usable = counted(len(x), "usable point")
            raise UsageError(f"BD: the {name} curve has {usable}, {method} needs {NEEDED_POINTS[method]}")
        if len(x) < USUAL_POINTS:
            notes.append(f"the {name} curve has only {counted(len(x), 'usable point')}")
    low, high = max(x_anchor[0], x_test[0]), min(x_anchor[-1], x_test[-1])
    span = max(x_anchor[-1], x_test[-1]) - min(x_anchor[0], x_test[0])
    if not high > low:
        raise UsageError(f"BD: the curves do not overlap: there is no {along} that both reach")
    overlap = 100 * float((high - low) / span)
    if overlap < SMALL_OVERLAP_PERCENT:
        notes.append(f"the curves overlap in only {overlap:.0f} % of the {along} range")
    from bjontegaard import bd_linear  # imports pyplot

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of what `notes` says already
        value = bd_linear(x_anchor, y_anchor, x_test, y_test, method, require_matching_points=False)
    return float(value), overlap, float(low), float(high)

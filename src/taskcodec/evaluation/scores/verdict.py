"""Excess risk of decoded against raw features, with a paired interval, and what follows from it, in words.

The loss L of a metric is how much WORSE it is on decoded features, in the metric's own unit: raw - decoded where higher
is better, decoded - raw for log loss and absolute error. With its 95 % interval [low, high] and a loss delta that the
user can live with, exactly one verdict results, tried in this order:

    high < delta                        "lossless within delta"
    low > 0                             "not lossless"
    otherwise, or fewer than MIN_UNITS  "not enough data to tell"

This is a test of equivalence (one-sided; Schuirmann 1987, "A comparison of the two one-sided tests procedure") before
one of difference: a loss that is certain but certainly below delta counts as lossless within delta. A codec without
loss is called "not lossless" with probability 2.5 % at most, the interval's lower tail, for each metric and predictor.

The interval: samples (or groups of samples) are drawn with replacement, raw and decoded scores together; percentiles
are widened for small numbers of samples as in Hesterberg 2015, "What teachers should know about the bootstrap"
(section 5.3, expanded percentile). Where a score is right or wrong, two made-up units join the draws, one that only raw
features get right and one that only decoded features get right (after Agresti and Min 2005, "Simple improved confidence
intervals for comparing matched proportions"): so the interval never has width 0, and 50 samples without a single
difference do not prove a loss under one point. Last, half-widths are multiplied with `widening`: a bootstrap of test
samples does not see the luck of training.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError
from taskcodec.evaluation.scores.intervals import Drawn, Interval, Scores, defined
from taskcodec.words import counted

DRAWS = 4000
BLOCK = 200
MIN_UNITS = 20
"""Fewer samples (or groups) than this decide nothing: percentiles of a bootstrap are off."""
ENOUGH_UNITS = 1000
"""So many samples without a changed answer always decide: the two made-up units weigh a tenth of a point each."""
_MILLION, _MOST_FACTOR = 10**6, 1e6
LOSSLESS, LOSSY, UNDECIDED = "lossless within delta", "not lossless", "not enough data to tell"
Unit = Literal["points", "R2", "bits", "units of the label"]


@dataclass(frozen=True)
class Metric:
    """What a number means.

    Attributes:
        name: as in results ("accuracy", "log_loss", ...).
        unit: of a loss. "points" are hundredths of a share.
        higher_is_better: False for log loss and absolute error.
        counts: every row is right (1) or wrong (0).
        delta: the loss that counts as none unless the user says otherwise, in the metric's own scale (0.01 is a point).
    """

    name: str
    unit: Unit
    higher_is_better: bool
    counts: bool
    delta: float

    @property
    def scale(self) -> float:
        """What a value is multiplied with to be printed in its unit."""
        return 100.0 if self.unit == "points" else 1.0

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest value there is."""
        return (0.0 if self.unit != "R2" else -math.inf, 1.0 if self.unit in ("points", "R2") else math.inf)

    def amount(self, value: float) -> str:
        """0.0123 -> "1.23 points"."""
        return f"{_number(value * self.scale)} {self.unit if abs(value * self.scale) != 1 else self.unit.rstrip('s')}"


@dataclass(frozen=True)
class Verdict:
    """What the data say about a loss.

    Attributes:
        verdict: LOSSLESS, LOSSY or UNDECIDED.
        difference: decoded - raw with its interval, in the metric's own scale.
        loss: the same, turned so that more is worse.
        delta: the loss that counts as none.
        samples_needed: about how many samples would decide it; None where they decided.
        words: the verdict in a sentence, with its numbers.
    """

    verdict: str
    difference: Interval
    loss: Interval
    delta: float
    samples_needed: int | None
    words: str


def excess(
    decoded: Drawn,
    raw: Drawn,
    metric: Metric,
    *,
    widening: float = 1.0,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """decoded - raw with its paired interval (see the module), in the metric's own scale.

    widening: what the half-widths are multiplied with, for the luck of training that a bootstrap of test samples does
    not see (`widening`).

    Raises:
        UsageError: the two are not scores of the same rows, or have no score (R2 of numbers nearly all the same).
    """
    if not np.array_equal(decoded.units, raw.units):
        raise UsageError("excess: raw and decoded were not scored on the same samples")
    value, count = decoded.value - raw.value, raw.unit_count
    if metric.counts and isinstance(decoded, Scores) and isinstance(raw, Scores):
        decoded, raw = _doubted(decoded, 0), _doubted(raw, 1)
    total = raw.unit_count
    found = _bounds(lambda w: decoded.values(w) - raw.values(w), total, count, value, confidence, draws, seed)
    return Interval(value, value - widening * (value - found.low), value + widening * (found.high - value))


def widening(probe: str, metric: str) -> float:
    """How much wider than the bootstrap of test samples an interval must be, for the luck of training.

    Folds share training samples, so that one lucky sample helps many test samples, and in retrieval every sample is
    looked for as well as looking. Measured where the truth is known (benchmarks/evaluate_coverage.py: 200 samples, 5
    folds twice, four codecs from harmless to noisy), standard deviation of the excess against what the bootstrap says:
    ridge 0.6 to 1.24, k nearest neighbours 0.95 to 1.46, recall@k and few-shot 0.3 to 1.15, retrieval's mean average
    precision 1.5 to 1.8. Taken: 1.2; 1.5 for predictors that are not linear, which is also the corrected resampled
    variance of Nadeau and Bengio 2003 ("Inference for the generalization error", equation 9) for 5 folds; and 2 for
    that precision, as for any mean over pairs of samples (Hoeffding 1948).
    """
    if metric == "retrieval_map":
        return 2.0
    return 1.5 if probe in ("knn", "boosting", "mlp") else 1.2


def interval(scores: Drawn, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Interval of one metric alone, percentiles widened as for `excess`."""
    units = scores.unit_count
    return _bounds(scores.values, units, units, scores.value, confidence, draws, seed)


def _bounds(
    statistic: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]],
    units: int,
    count: int,
    value: float,
    confidence: float,
    draws: int,
    seed: int,
) -> Interval:
    """Expanded percentiles of a statistic of drawn units; count: the real ones among them."""
    rng, found = np.random.default_rng(seed), []
    for start in range(0, draws, BLOCK):
        rows = min(BLOCK, draws - start)
        picked = rng.integers(0, units, size=(rows, units)) + units * np.arange(rows)[:, None]
        found.append(statistic(np.bincount(picked.ravel(), minlength=rows * units).reshape(rows, units)))
    tail = _expanded_tail(count, confidence)
    low, high = np.quantile(defined(np.concatenate(found), value), [tail, 1 - tail])
    return Interval(value, float(min(low, value)), float(max(high, value)))


def judge(difference: Interval, metric: Metric, units: int, samples: int, delta: float | None = None) -> Verdict:
    """The verdict that follows from an excess (see the module).

    Args:
        difference: decoded - raw, from `excess`.
        metric: what was measured.
        units: how many independent units (samples or groups) it rests on.
        samples: how many samples these hold.
        delta: the loss that counts as none, in the metric's own scale; the metric's own by default.

    Raises:
        UsageError: delta is not a positive number.
    """
    accepted = metric.delta if delta is None else delta
    if not (math.isfinite(accepted) and accepted > 0):
        raise UsageError(f"--delta must be positive, found {accepted:g} for {metric.name}")
    d = difference
    loss = Interval(-d.value, -d.high, -d.low) if metric.higher_is_better else d
    small = metric.amount(accepted)
    between = f"between {_number(loss.low * metric.scale)} and {metric.amount(loss.high)}"
    if units >= MIN_UNITS and loss.high < accepted:
        words = f"lossless within {small} (the loss is at most {metric.amount(max(loss.high, 0.0))})"
        return Verdict(LOSSLESS, d, loss, accepted, None, words)
    if units >= MIN_UNITS and loss.low > 0:
        words = f"not lossless: it loses {metric.amount(loss.value)} ({between})"
        return Verdict(LOSSY, d, loss, accepted, None, words)
    needed = samples_needed(loss, accepted, units, samples)
    words = f"not enough data to tell ({_wanted(needed, samples)} tested samples would be): the loss is {between}"
    return Verdict(UNDECIDED, d, loss, accepted, needed, words)


def too_few(metric: Metric, units: int) -> str | None:
    """What to say where so few tested samples (or groups) decide nothing even if no answer changes; else None.

    An interval without made-up units (see the module) has width 0 there, and would pass for certainty.
    """
    if units < MIN_UNITS:
        return f"{UNDECIDED}: {counted(units, 'tested sample')} (or groups), and fewer than {MIN_UNITS} decide nothing"
    if units >= ENOUGH_UNITS:
        return None
    alike = Scores(np.arange(units), np.ones(units), np.ones(units), "mean")
    found = judge(excess(alike, alike, metric, widening=widening("ridge", metric.name)), metric, units, units)
    if found.verdict != UNDECIDED:
        return None
    return (
        f"{UNDECIDED}: of {counted(units, 'tested sample')} (or groups), the loss may be up to "
        f"{metric.amount(found.loss.high)} where no answer changes, and an interval reads 0 to 0"
    )


def samples_needed(loss: Interval, delta: float, units: int, samples: int) -> int:
    """About how many samples would decide, if the loss stays what it seems and the interval narrows as 1/sqrt(n).

    The nearer of the two conclusions that are in reach: the upper bound below delta, or the lower bound above 0.
    """
    factors = []
    if loss.value < delta:
        factors.append((loss.high - loss.value) / (delta - loss.value))
    if loss.value > 0:
        factors.append((loss.value - loss.low) / loss.value)
    wanted = samples * max(min(*factors, _MOST_FACTOR) ** 2, 1.0, MIN_UNITS / units)
    digits = 10.0 ** (math.floor(math.log10(wanted)) - 1)
    return max(math.ceil(round(wanted / digits, 9)) * max(int(digits), 1), samples + 1)


def _wanted(needed: int, samples: int) -> str:
    """A number of samples in words; what nobody has is not counted out."""
    if needed <= max(_MILLION, 10 * samples):
        return f"about {needed:,}"
    return "more than a million" if samples <= _MILLION else f"more than {10 * samples:,}"


def _doubted(scores: Scores, right: int) -> Scores:
    """With the two made-up units: the first scores `right`, the second 1 - right; each has as many rows as most."""
    first, rows = int(scores.units.max()) + 1, max(round(len(scores.units) / scores.unit_count), 1)
    return Scores(
        np.concatenate([scores.units, np.repeat([first, first + 1], rows)]),
        np.concatenate([scores.targets, np.ones(2 * rows)]),
        np.concatenate([scores.predictions, np.repeat([right, 1.0 - right], rows)]),
        scores.metric,
    )


def _expanded_tail(units: int, confidence: float) -> float:
    """The share of draws to leave out at each end."""
    from scipy.stats import norm, t

    if units < 3:
        return 0.0
    quantile = t.ppf((1 + confidence) / 2, units - 1) * math.sqrt(units / (units - 1))
    return float(norm.cdf(-quantile))


def _number(value: float) -> str:
    """Two digits behind the point, more for small numbers, none too many for large ones."""
    if value == 0:
        return "0"
    places = max(2, 1 - math.floor(math.log10(abs(value)))) if abs(value) < 1 else 2 if abs(value) < 100 else 0
    return f"{value:,.{places}f}".rstrip("0").rstrip(".") if places else f"{value:,.0f}"

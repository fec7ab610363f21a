"""How far codecs are from the least rate of one task: excess log loss of classes instead of squared error.

    features --ridge, softmax--> p(.|x)        decoded features --the same ridge--> y        excess: KL(p(.|x) | y)

The predictor is trained on raw features, and its posteriors stand for the truth. The bound is that of the information
bottleneck of posteriors, fitted to those that each half of the first part has by a predictor of the other half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from taskcodec.errors import UsageError
from taskcodec.evaluation.limits.of_features import RATES, LimitsPlan
from taskcodec.evaluation.limits.parts import split
from taskcodec.evaluation.peers.own import FittedCodec
from taskcodec.evaluation.predictors.families import Lesson, ridge
from taskcodec.evaluation.predictors.linear import scale_features
from taskcodec.fitting.closed_form.fit import EMPHASIS, fit
from taskcodec.fitting.closed_form.inputs import checked
from taskcodec.theory.limits.bottleneck import fit_bottleneck
from taskcodec.theory.limits.laws import BITS, Floats, at_distortion, upper_point

SLOPE, FINER = 3.0, 3
"""Where the slope of an excess is looked for first, and how many are tried, each four times the last."""


@dataclass(frozen=True)
class TaskPoint:
    """A codec, and the bound at its excess.

    Attributes:
        excess_bits: log loss of what a predictor of raw features says of decoded ones, above what it says of raw ones.
        excess_error_bits: its standard error.
        rate_upper_bits: so many bits a sample suffice for this excess on this one task; None where no law was found.
        rate_upper_error_bits: its standard error.
        asked_bits, codec_bits: of the codec, asked for and in real bytes.
    """

    excess_bits: float
    excess_error_bits: float
    rate_upper_bits: float | None
    rate_upper_error_bits: float | None
    asked_bits: float
    codec_bits: float


@dataclass(frozen=True)
class TaskLimits:
    """The least rate of a task, and codecs beside it.

    Attributes:
        classes: how many.
        fitted, held_out: samples.
        log_loss_bits: of the predictor on raw features that it was not trained on, against the labels.
        information_bits: what posteriors tell of the classes: no code needs more for no excess than their entropy, and
            none gets this with fewer bits than this.
        points: from the lowest rate to the highest.
    """

    classes: int
    fitted: int
    held_out: int
    log_loss_bits: float
    information_bits: float
    points: tuple[TaskPoint, ...]


def limits_of_task(features: npt.ArrayLike, labels: Sequence[Any], plan: LimitsPlan | None = None) -> TaskLimits:
    """The least rate of predicting labels from (n, d) features, and the codecs of `taskcodec.fit` beside it.

    Args:
        features: of samples that all have a label.
        labels: n of them, alike for a class.
        plan: rates and seed; its backbone and companding are not looked at.

    Raises:
        UsageError: fewer than 16 samples that differ, another number of labels, or classes missing in a part.
    """
    plan, x = plan or LimitsPlan(), checked(features)
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    if len(classes) != len(x):
        raise UsageError(f"{len(x):,} samples need as many labels, found {len(classes):,}")
    parts = split("features", x, False, plan.seed)
    known, truth = classes[parts.first], classes[~parts.first]
    halves = np.arange(len(known)) % 2 == 0
    if len(names) < 2 or min(len(np.unique(known[half])) for half in (halves, ~halves)) < len(names):
        raise UsageError("the limits of a task need two classes or more, with samples of each in every part")
    crossed = np.empty((len(known), len(names)))
    for half in (halves, ~halves):
        crossed[half] = _posteriors(parts.fitted[~half], known[~half], len(names), [parts.fitted[half]])[0]
    rates = sorted(plan.bits) or list(RATES)
    codecs = [fit(parts.fitted, bits=rate, emphasis=0.0 if plan.least_error else EMPHASIS) for rate in rates]
    coded = [FittedCodec(codec).encode_decode(parts.held) for codec in codecs]
    raw, *others = _posteriors(parts.fitted, known, len(names), [parts.held, *(decoded for decoded, _ in coded)])
    points = [
        _point(rate, bits, raw, other, crossed) for rate, (_, bits), other in zip(rates, coded, others, strict=True)
    ]
    mean = raw.mean(axis=0)
    return TaskLimits(
        classes=len(names),
        fitted=len(parts.fitted),
        held_out=len(parts.held),
        log_loss_bits=-float(np.log2(raw[np.arange(len(truth)), truth]).mean()),
        information_bits=float(_divergences(raw, mean[None]).mean()) * BITS,
        points=tuple(points),
    )


def _point(asked: float, bits: float, raw: Floats, decoded: Floats, crossed: Floats) -> TaskPoint:
    excess = _divergences(raw, decoded)
    mean, slope, at = float(excess.mean()), SLOPE, None
    for _ in range(FINER if mean > 0 else 0):  # a coarse law has no point near enough for a small excess
        if (at := at_distortion(fit_bottleneck(crossed, slope), raw, mean, slope)) is not None:
            at = at_distortion(fit_bottleneck(crossed, at[1]), raw, mean, at[1]) or at
            break
        slope *= 4
    upper = None if at is None else upper_point(*at)
    return TaskPoint(
        excess_bits=mean * BITS,
        excess_error_bits=float(excess.std(ddof=1)) / math.sqrt(len(excess)) * BITS,
        rate_upper_bits=None if upper is None else upper.rate_bits,
        rate_upper_error_bits=None if upper is None else upper.error_bits,
        asked_bits=asked,
        codec_bits=bits,
    )


def _divergences(p: Floats, q: Floats) -> Floats:
    """(n,) KL of rows, in nats."""
    return np.asarray(np.maximum((xlogy(p, p) - xlogy(p, np.maximum(q, 1e-300))).sum(axis=1), 0.0))


def _posteriors(
    train: npt.NDArray[np.float32], classes: npt.NDArray[np.intp], width: int, tested: list[npt.NDArray[np.float32]]
) -> list[Floats]:
    """Posteriors (m, width) of each array of samples, by a ridge trained on others."""
    train_x, test_x = scale_features(train.astype(np.float64), np.concatenate(tested).astype(np.float64))
    lesson = Lesson("classification", width, train_x, classes, test_x, np.arange(len(train)))
    found = ridge(lesson).probabilities
    assert found is not None
    return np.split(found, np.cumsum([len(part) for part in tested])[:-1])

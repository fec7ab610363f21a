"""How far codecs are from the least rate of one task: excess log loss of classes instead of squared error.

    features --ridge, softmax--> p(.|x)        decoded features --the same ridge--> y        excess: KL(p(.|x) | y)

The predictor is trained on raw features, and its posteriors stand for the truth. The bound is that of the information
bottleneck of posteriors, fitted to those that each half of the first part has by a predictor of the other half.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from taskcodec.codec import Codec
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.limits.measured import asked_of, peers_of, real_bits, returned_by
from taskcodec.evaluation.limits.of_features import SEEN, LimitsPlan, Progress, codec_at, rates_of
from taskcodec.evaluation.limits.parts import Features, Parts, split
from taskcodec.evaluation.peers.protocol import Peer
from taskcodec.evaluation.predictors.families import Lesson, ridge
from taskcodec.evaluation.predictors.linear import scale_features
from taskcodec.fitting.closed_form.inputs import checked
from taskcodec.theory.limits.bottleneck import fit_bottleneck
from taskcodec.theory.limits.laws import BITS, Floats, at_distortion, upper_point
from taskcodec.words import counted

METHOD = (
    "upper bound: the information bottleneck of the posteriors of a ridge, fitted to {fitted} samples, evaluated on "
    "{held} others"
)
SLOPE, FINER = 3.0, 3
"""Where the slope of an excess is looked for first, and how many are tried, each four times the last."""


@dataclass(frozen=True)
class TaskPoint:
    """A codec, and the bound at its excess.

    Attributes:
        distortion: the excess, in bits: log loss of what a predictor of raw features says of decoded ones, above what
            it says of raw ones.
        distortion_error_bits: its standard error.
        rate_upper_bits: so many bits a sample suffice for this excess on this one task; None where no law was found.
        rate_upper_error_bits: its standard error.
        rate_lower_bits: at least so many are needed, less its own error: what posteriors tell of the classes, less the
            excess.
        rate_lower_error_bits: its standard error.
        codec: "fitted", "store" for the store's own, or the name of a peer.
        asked_bits: the rate that the codec was fitted to, where there is one.
        codec_bits: real bytes, in bits a sample.
        above_bits: what the codec takes more than the upper bound.
    """

    distortion: float
    distortion_error_bits: float
    rate_upper_bits: float | None
    rate_upper_error_bits: float | None
    rate_lower_bits: float
    rate_lower_error_bits: float
    codec: str
    asked_bits: float | None
    codec_bits: float
    above_bits: float | None


@dataclass(frozen=True)
class TaskLimits:
    """The least rate of a task, and codecs beside it.

    Attributes:
        name: of the source.
        dimension: features of a sample.
        samples: in all; `fitted` of them fitted, and `held_out` measured.
        classes: how many.
        log_loss_bits: of the predictor on raw features that it was not trained on, against the labels.
        information_bits: what posteriors tell of the classes: no code needs more for no excess than their entropy, and
            none gets this with fewer bits than this.
        method: how the bound was reckoned, in words.
        points: of our codecs, from the lowest rate to the highest.
        peers: the same of others' ways to store vectors.
        notes: what else to know, a line each.
    """

    name: str
    dimension: int
    samples: int
    classes: int
    fitted: int
    held_out: int
    log_loss_bits: float
    information_bits: float
    method: str
    points: tuple[TaskPoint, ...]
    peers: tuple[TaskPoint, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Coded:
    """A codec on the samples held out: what it is called, the rate asked for, and what came back in how many bits."""

    codec: str
    asked: float | None
    decoded: Features
    bits: float


def limits_of_task(
    name: str,
    features: npt.ArrayLike,
    labels: Sequence[Any],
    plan: LimitsPlan | None = None,
    own: Codec | None = None,
    progress: Progress | None = None,
) -> TaskLimits:
    """The least rate of predicting labels from (n, d) features, and the codecs of `taskcodec.fit` beside it.

    Args:
        name: of the source.
        features: of samples that all have a label.
        labels: n of them, alike for a class.
        plan: rates, effort and seed; its backbone and companding are not looked at.
        own: a codec that is there.
        progress: called with (codecs done, codecs in all).

    Raises:
        SourceError: fewer than 16 samples that differ, or classes missing in a part.
        UsageError: another number of labels than samples.
    """
    plan, x = plan or LimitsPlan(), checked(features)
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    if len(classes) != len(x):
        raise UsageError(
            f"{name}: {counted(len(x), 'sample needs', 'samples need')} as many labels, found {len(classes):,}"
        )
    parts = split(name, x, False, plan.seed)
    known, truth = classes[parts.first], classes[~parts.first]
    halves = np.arange(len(known)) % 2 == 0
    if len(names) < 2 or min(len(np.unique(known[half])) for half in (halves, ~halves)) < len(names):
        words = "the limits of a task need two classes or more, with samples of each in every part"
        raise SourceError(f"{name}: {words}; leave out classes of few samples")
    crossed = np.empty((len(known), len(names)))
    for half in (halves, ~halves):
        crossed[half] = _posteriors(parts.fitted[~half], known[~half], len(names), [parts.fitted[half]])[0]
    coded, notes = _all_coded(parts, plan, own, progress)
    raw, *others = _posteriors(parts.fitted, known, len(names), [parts.held, *(each.decoded for each in coded)])
    points = [_point(each, raw, other, crossed) for each, other in zip(coded, others, strict=True)]
    points.sort(key=lambda point: point.codec_bits)
    ours = ("fitted", "store")
    return TaskLimits(
        name=name,
        dimension=x.shape[1],
        samples=len(x),
        classes=len(names),
        fitted=len(parts.fitted),
        held_out=len(parts.held),
        log_loss_bits=-float(np.log2(raw[np.arange(len(truth)), truth]).mean()),
        information_bits=float(_information(raw).mean()) * BITS,
        method=METHOD.format(fitted=f"{len(parts.fitted):,}", held=f"{len(parts.held):,}"),
        points=tuple(point for point in points if point.codec in ours),
        peers=tuple(point for point in points if point.codec not in ours),
        notes=notes,
    )


def _all_coded(
    parts: Parts, plan: LimitsPlan, own: Codec | None, progress: Progress | None
) -> tuple[list[_Coded], tuple[str, ...]]:
    """What every codec gives back, and notes on those that could not be had."""
    rates, found, notes = rates_of(plan, parts.fitted.shape[1]), list[_Coded](), list[str]()
    jobs: list[Callable[[], _Coded]] = [] if own is None else [partial(_by_codec, own, parts, "store", None)]
    jobs += [partial(_by_fit, parts, plan, rate) for rate in rates]
    jobs += [partial(_by_peer, peer, parts) for peer in (peers_of(parts, rates) if plan.peers else ())]
    for number, job in enumerate(jobs):
        try:
            found.append(job())
        except UsageError as error:
            notes.append(str(error))
        if progress is not None:
            progress(number + 1, len(jobs))
    if own is not None:
        notes.append(SEEN)
    return found, tuple(notes)


def _by_codec(codec: Codec, parts: Parts, kind: str, asked: float | None) -> _Coded:
    symbols = codec.encode_features(parts.held)
    return _Coded(kind, asked, codec.decode(symbols), real_bits(codec, symbols))


def _by_fit(parts: Parts, plan: LimitsPlan, rate: float) -> _Coded:
    return _by_codec(codec_at(parts, plan, rate), parts, "fitted", rate)


def _by_peer(peer: Peer, parts: Parts) -> _Coded:
    return _Coded(peer.name, asked_of(peer), *returned_by(peer, parts))


def _point(coded: _Coded, raw: Floats, decoded: Floats, crossed: Floats) -> TaskPoint:
    """A codec's point, of posteriors (n, classes) by raw and by decoded features, and of those that fit the bound."""
    excess = _divergences(raw, decoded)
    mean, slope, at = float(excess.mean()), SLOPE, None
    for _ in range(FINER if mean > 0 else 0):  # a coarse law has no point near enough for a small excess
        if (at := at_distortion(fit_bottleneck(crossed, slope), raw, mean, slope)) is not None:
            at = at_distortion(fit_bottleneck(crossed, at[1]), raw, mean, at[1]) or at
            break
        slope *= 4
    upper = None if at is None else upper_point(*at)
    # Data processing: a code carries no more of the classes than its own bits, and the excess is what it lacks of it.
    carried = (_information(raw) - excess) * BITS
    lower = max(0.0, float(carried.mean()))
    return TaskPoint(
        distortion=mean * BITS,
        distortion_error_bits=_standard_error(excess) * BITS,
        rate_upper_bits=None if upper is None else upper.rate_bits,
        rate_upper_error_bits=None if upper is None else upper.error_bits,
        rate_lower_bits=lower if upper is None else min(lower, upper.rate_bits),
        rate_lower_error_bits=_standard_error(carried),
        codec=coded.codec,
        asked_bits=coded.asked,
        codec_bits=coded.bits,
        above_bits=None if upper is None else coded.bits - upper.rate_bits,
    )


def _information(posteriors: Floats) -> Floats:
    """(n,) what each sample tells of the classes, in nats."""
    return _divergences(posteriors, posteriors.mean(axis=0)[None])


def _standard_error(each: Floats) -> float:
    return float(each.std(ddof=1)) / math.sqrt(len(each))


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

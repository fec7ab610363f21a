"""How far codecs are from the best known bound on R(D), on samples that fitted neither.

    features --3/4--> codecs, and the laws that bound R(D)      --1/4--> bits and errors of both

Both know the source from the first part alone, and neither is charged for that: bits are those of the samples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.limits.measured import Measured, measured, measured_peer, peers_of
from taskcodec.evaluation.limits.parts import Parts, split
from taskcodec.fitting.closed_form.fit import EMPHASIS, fit
from taskcodec.fitting.closed_form.inputs import checked
from taskcodec.fitting.effort import with_effort
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.theory.limits.dual import MOST_DIMENSIONS, fit_dual, lower_point, tells
from taskcodec.theory.limits.laws import BITS, Law, Scores, at_distortion, upper_point
from taskcodec.theory.limits.upper import FEW_DIMENSIONS, UpperBound
from taskcodec.words import counted

Progress = Callable[[int, int], None]

RATES = (128.0, 256.0, 512.0, 1024.0)
"""Rates that are looked at, in bits a sample, where none are named and features are so many; of fewer features ..."""
MOST_PER_FEATURE = 4.0
"""... at most so many bits for each, and RATES in proportion."""
MOST_FEATURES = 4096
METHOD = (
    "upper bound: the best of laws of reproductions fitted to {fitted} samples (reverse water-filling, Gaussian "
    "mixtures by EM{few}), evaluated on {held} others"
)
FEW_METHODS = ", Wasserstein gradient descent, Blahut-Arimoto on a grid up to 2 features"
NO_LOWER = (
    "no lower bound: {why}. An estimate from k samples never exceeds log2 k bits, so nothing honest certifies hundreds "
    "of bits: the true R(D) may lie far below the upper bound"
)

SEEN = "the store's codec was fitted to samples that it is measured on here too: it may look too good"


@dataclass(frozen=True)
class LimitsPlan:
    """How limits are reckoned.

    Attributes:
        bits: rates of the codecs, bits a sample; RATES without them.
        companded: squared errors of square roots of features, where codecs take these (non-negative features).
        least_error: codecs fitted for the squared error alone, without the default's emphasis on leading axes, which
            serves predictors.
        backbone: what makes features of images, by name.
        device: where it runs.
        seed: of the split.
        effort: 1 to 9, of the codecs that are fitted.
        peers: whether others' ways to store vectors are held against the bounds too.
    """

    bits: Sequence[float] = ()
    companded: bool = False
    least_error: bool = False
    backbone: str | None = None
    device: str | None = None
    seed: int = 0
    effort: int = 1
    peers: bool = True

    def __post_init__(self) -> None:
        check_effort(self.effort)
        for rate in self.bits:
            if not 0 < rate < math.inf:
                raise UsageError(f"--bits must be positive, found {rate:g}")


@dataclass(frozen=True)
class LimitPoint:
    """A codec, and the bounds at its error.

    Attributes:
        distortion: of the codec: sum of squared errors of a sample, in the mean over samples that fitted nothing.
        rate_upper_bits: R(D) is at most this.
        rate_upper_error_bits: its standard error.
        rate_lower_bits: R(D) is at least this less its own error; None where nothing can be said.
        rate_lower_error_bits: its standard error.
        method: the law that gave the upper bound.
        codec: "fitted", "store" for the store's own, or the name of a peer.
        asked_bits: the rate that the codec was fitted to, where there is one.
        codec_bits: real bytes, in bits a sample.
        above_bits: what the codec takes more than the upper bound.
        above_error_bits: its standard error, sample by sample; of a peer as if each sample took the same bits.
        above_percent: the same, of the bound.
        granular_bits: how much of it is granular loss, reckoned as if columns were Gaussian at the rates they have;
            None where cells are no cubes (`effort`), or are cut anew by another layer, and of peers.
    """

    distortion: float
    rate_upper_bits: float
    rate_upper_error_bits: float
    rate_lower_bits: float | None
    rate_lower_error_bits: float | None
    method: str
    codec: str
    asked_bits: float | None
    codec_bits: float
    above_bits: float
    above_error_bits: float
    above_percent: float | None
    granular_bits: float | None


@dataclass(frozen=True)
class Limits:
    """Bounds on R(D) of a source, and codecs beside them.

    Attributes:
        name: of the source.
        dimension: d.
        samples: in all; `fitted` of them fitted, and `held_out` measured.
        errors_of: whose squared errors are meant: features, or their square roots.
        variance: the distortion at which nothing need be sent.
        method, lower: how the bounds were reckoned, in words.
        points: of our codecs, from the lowest rate to the highest.
        peers: the same of others' ways to store vectors.
        notes: what else to know, a line each.
    """

    name: str
    dimension: int
    samples: int
    fitted: int
    held_out: int
    errors_of: str
    variance: float
    method: str
    lower: str
    points: tuple[LimitPoint, ...]
    peers: tuple[LimitPoint, ...]
    notes: tuple[str, ...]


def limits_of_features(
    name: str,
    features: npt.ArrayLike,
    plan: LimitsPlan | None = None,
    own: Codec | None = None,
    progress: Progress | None = None,
) -> Limits:
    """The limits of (n, d) features, and codecs of `taskcodec.fit` beside them; `own` is a codec that is there.

    Raises:
        SourceError: fewer than FEWEST samples that differ, or more than MOST_FEATURES features.
        MismatchError: features that are no (n, d) array of finite numbers.
    """
    plan = plan or LimitsPlan()
    x = checked(features)
    n, d = x.shape
    if d > MOST_FEATURES:
        raise SourceError(f"{name}: limits are for at most {MOST_FEATURES:,} features, found {d:,}")
    parts = split(name, x, plan.companded, plan.seed)
    bound = UpperBound(parts.learned)
    rates = rates_of(plan, d)
    jobs: list[Callable[[], Measured]] = [] if own is None else [partial(measured, own, parts, "store", None)]
    jobs += [partial(_fitted, parts, plan, rate) for rate in rates]
    ours, notes, found = len(jobs), list[str](), list[LimitPoint | None]()
    jobs += [partial(measured_peer, peer, parts) for peer in (peers_of(parts, rates) if plan.peers else ())]
    for job in jobs:
        found.append(_tried(job, parts, bound, notes))
        if progress is not None:
            progress(len(found), len(jobs))
    if own is not None:
        notes.append(SEEN)
    fitted, held = len(parts.fitted), len(parts.held)
    return Limits(
        name=name,
        dimension=d,
        samples=n,
        fitted=fitted,
        held_out=held,
        errors_of="square roots of features" if parts.companding == "sqrt" else "features",
        variance=float(((parts.tested - parts.learned.mean(axis=0)) ** 2).sum(axis=1).mean()),
        method=METHOD.format(fitted=f"{fitted:,}", held=f"{held:,}", few=FEW_METHODS if d <= FEW_DIMENSIONS else ""),
        lower=_words_of_lower(d, held),
        points=_rising(found[:ours]),
        peers=_rising(found[ours:]),
        notes=tuple(notes),
    )


def rates_of(plan: LimitsPlan, dimension: int) -> list[float]:
    """The rates that are looked at, rising, each once."""
    return sorted(set(plan.bits)) or [min(1.0, MOST_PER_FEATURE * dimension / RATES[-1]) * rate for rate in RATES]


def _fitted(parts: Parts, plan: LimitsPlan, rate: float) -> Measured:
    return measured(codec_at(parts, plan, rate), parts, "fitted", rate)


def codec_at(parts: Parts, plan: LimitsPlan, rate: float) -> Codec:
    """Our codec at a rate. Raises UsageError where it cannot be had."""
    try:
        codec = fit(parts.fitted, bits=rate, emphasis=0.0 if plan.least_error else EMPHASIS)
        return with_effort(codec, parts.fitted, plan.effort)
    except UsageError as error:
        raise UsageError(f"{rate:g} bits: {error}") from error


def _tried(job: Callable[[], Measured], parts: Parts, bound: UpperBound, notes: list[str]) -> LimitPoint | None:
    """A point; None where there is none, and a note that says why."""
    try:
        codec = job()
    except UsageError as error:
        notes.append(str(error))
        return None
    found = _point(codec, parts, bound)
    if found is None:
        name = codec.codec if codec.asked is None else f"{codec.codec}, {codec.asked:g} bits"
        notes.append(f"{name}: no bound at this error was found")
    return found


def _rising(points: Sequence[LimitPoint | None]) -> tuple[LimitPoint, ...]:
    return tuple(sorted((point for point in points if point is not None), key=lambda point: point.codec_bits))


def _point(measured: Measured, parts: Parts, bound: UpperBound) -> LimitPoint | None:
    """The codec's point, and the bounds at its error; None where no law reaches it."""
    distortion = float(measured.errors.mean())
    if not distortion > 0:
        return None
    for law, near in bound.laws_for(distortion):
        if (at := at_distortion(law, parts.tested, distortion, near)) is not None:
            break
    else:
        return None
    scores, slope = at
    upper = upper_point(scores, slope)
    lower = _lower(law, slope, parts, distortion)
    above = measured.bits - upper.rate_bits
    return LimitPoint(
        distortion=distortion,
        rate_upper_bits=upper.rate_bits,
        rate_upper_error_bits=upper.error_bits,
        rate_lower_bits=None if lower is None else min(lower[0], upper.rate_bits),
        rate_lower_error_bits=None if lower is None else lower[1],
        method=law.method,
        codec=measured.codec,
        asked_bits=measured.asked,
        codec_bits=measured.bits,
        above_bits=above,
        above_error_bits=_error_of_difference(measured, scores, slope),
        above_percent=100 * above / upper.rate_bits if upper.rate_bits > 0 else None,
        granular_bits=measured.granular,
    )


def _error_of_difference(measured: Measured, scores: Scores, slope: float) -> float:
    """Standard error of what a codec takes above the bound at its error, over samples that both have."""
    costs = 0.0 if measured.costs is None else measured.costs
    each = costs + (slope * measured.errors - scores.nats) * BITS
    return float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.inf


def _lower(law: Law, slope: float, parts: Parts, distortion: float) -> tuple[float, float] | None:
    if not tells(parts.tested.shape[1], len(parts.tested)):
        return None
    found = lower_point(fit_dual(parts.learned, law, slope, len(parts.tested)), parts.tested, distortion)
    return found.rate_bits, found.error_bits


def _words_of_lower(dimension: int, held: int) -> str:
    if tells(dimension, held):
        return "lower bound: Csiszar's dual on samples that fitted nothing; 0 where it says nothing"
    few = f"{counted(held, 'sample held out is', 'samples held out are')} too few"
    return NO_LOWER.format(why=f"{dimension:,} features are too many" if dimension > MOST_DIMENSIONS else few)

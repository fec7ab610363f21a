"""How far codecs are from the best known bound on R(D), on samples that fitted neither.

    features --3/4--> codecs, and the laws that bound R(D)      --1/4--> bits and errors of both

Both know the source from the first part alone, and neither is charged for that: bits are those of the samples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.coding import encode_block
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form.fit import EMPHASIS, fit
from taskcodec.fitting.closed_form.inputs import checked
from taskcodec.fitting.effort import with_effort
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.store import CHUNK_ROWS
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.theory.limits.copies import numbered
from taskcodec.theory.limits.dual import MOST_DIMENSIONS, fit_dual, lower_point, tells
from taskcodec.theory.limits.granular import granular_bits
from taskcodec.theory.limits.laws import BITS, Floats, Law, Scores, at_distortion, upper_point
from taskcodec.theory.limits.upper import FEW_DIMENSIONS, UpperBound
from taskcodec.transforms.companding import CompandingKind, choose_companding, compand

Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

RATES = (128.0, 256.0, 512.0, 1024.0)
"""Rates that are looked at, in bits a sample, where none are named and features are so many; of fewer features ..."""
MOST_PER_FEATURE = 4.0
"""... at most so many bits for each, and RATES in proportion."""
FEWEST, MOST_FEATURES = 16, 4096
"""Samples that differ, and features."""
FITTED = 0.75
METHOD = (
    "upper bound: the best of laws of reproductions fitted to {fitted} samples (reverse water-filling, Gaussian "
    "mixtures by EM{few}), evaluated on {held} others"
)
FEW_METHODS = ", Wasserstein gradient descent, Blahut-Arimoto on a grid up to 2 features"
NO_LOWER = (
    "no lower bound: {why}. An estimate from k samples never exceeds log2 k bits, so nothing honest certifies hundreds "
    "of bits: the true R(D) may lie far below the upper bound"
)


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
    """

    bits: Sequence[float] = ()
    companded: bool = False
    least_error: bool = False
    backbone: str | None = None
    device: str | None = None
    seed: int = 0
    effort: int = 1

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
        codec: "fitted", or "store" for the store's own.
        asked_bits: the rate that the codec was fitted to.
        codec_bits: real bytes, in bits a sample.
        above_bits: what the codec takes more than the upper bound.
        above_error_bits: its standard error, sample by sample.
        above_percent: the same, of the bound.
        granular_bits: how much of it is granular loss, reckoned as if columns were Gaussian at the rates they have;
            None where cells are no cubes (`effort`).
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
        points: from the lowest rate to the highest.
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
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Measured:
    """A codec on the samples held out: symbols' ideal bits (n, columns), errors (n,), real bits a sample, and
    whether cells are cubes."""

    kind: str
    asked: float | None
    costs: Floats
    errors: Floats
    bits: float
    cubes: bool


@dataclass(frozen=True, eq=False)
class Parts:
    """What is fitted and what is held out, as features and in the domain of errors.

    Attributes:
        first: (n,) whether a sample is among those that fit.
        fitted, held: features.
        learned, tested: the same in the domain of errors.
        companding: into that domain.
    """

    first: npt.NDArray[np.bool_]
    fitted: Features
    held: Features
    learned: Floats
    tested: Floats
    companding: CompandingKind


def limits_of_features(
    name: str,
    features: npt.ArrayLike,
    plan: LimitsPlan | None = None,
    own: Codec | None = None,
    progress: Progress | None = None,
) -> Limits:
    """The limits of (n, d) features, and codecs of `taskcodec.fit` beside them; `own` is a codec that is there.

    Raises:
        UsageError: fewer than FEWEST samples that differ, or more than MOST_FEATURES features.
        MismatchError: features that are no (n, d) array of finite numbers.
    """
    plan = plan or LimitsPlan()
    x = checked(features)
    n, d = x.shape
    if d > MOST_FEATURES:
        raise UsageError(f"{name}: limits are for at most {MOST_FEATURES:,} features, found {d:,}")
    parts = split(name, x, plan)
    bound = UpperBound(parts.learned)
    rates = sorted(plan.bits) or [min(1.0, MOST_PER_FEATURE * d / RATES[-1]) * rate for rate in RATES]
    emphasis, notes, points = 0.0 if plan.least_error else EMPHASIS, list[str](), list[LimitPoint]()
    jobs: list[tuple[str, float | None]] = [("store", None)] * (own is not None) + [("fitted", rate) for rate in rates]
    for done, (kind, rate) in enumerate(jobs):
        try:
            codec = own if rate is None else fit(parts.fitted, bits=rate, emphasis=emphasis)
            if rate is not None and codec is not None:
                codec = with_effort(codec, parts.fitted, plan.effort)
        except UsageError as error:
            notes.append(f"{rate:g} bits: {error}")
            continue
        assert codec is not None
        found = _point(_measured(codec, parts, kind, rate), parts, bound)
        if found is None:
            notes.append(f"{kind if rate is None else f'{rate:g} bits'}: no bound at this error was found")
        else:
            points.append(found)
        if progress is not None:
            progress(done + 1, len(jobs))
    if own is not None:
        notes.append("the store's codec was fitted to samples that it is measured on here too: it may look too good")
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
        points=tuple(sorted(points, key=lambda point: point.codec_bits)),
        notes=tuple(notes),
    )


def split(name: str, x: Features, plan: LimitsPlan) -> Parts:
    """By samples that differ: copies of one lie on one side. Raises UsageError where there are too few."""
    own = numbered(x)
    count = int(own.max()) + 1
    if count < FEWEST:
        raise UsageError(f"{name}: limits need {FEWEST} samples or more that differ, found {count}")
    order = np.random.default_rng(plan.seed).permutation(count)
    first = np.isin(own, order[: math.ceil(FITTED * count)])
    companding = choose_companding(x) if plan.companded else "identity"
    whole = compand(x, companding).astype(np.float64)
    return Parts(first, x[first], x[~first], whole[first], whole[~first], companding)


def _measured(codec: Codec, parts: Parts, kind: str, asked: float | None) -> _Measured:
    symbols = codec.encode_features(parts.held)
    decoded = compand(codec.decode(symbols), parts.companding)
    errors = ((parts.tested - decoded) ** 2).sum(axis=1)
    blocks = [symbols[i : i + CHUNK_ROWS] for i in range(0, len(symbols), CHUNK_ROWS)]
    size = sum(len(encode_block(block, codec.base.model)) for block in blocks)
    cubes = isinstance(codec.base.quantizer, UniformQuantizer)
    return _Measured(kind, asked, codec.costs(symbols), errors, 8 * size / len(symbols), cubes)


def _point(measured: _Measured, parts: Parts, bound: UpperBound) -> LimitPoint | None:
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
        codec=measured.kind,
        asked_bits=measured.asked,
        codec_bits=measured.bits,
        above_bits=above,
        above_error_bits=_error_of_difference(measured, scores, slope),
        above_percent=100 * above / upper.rate_bits if upper.rate_bits > 0 else None,
        granular_bits=float(granular_bits(measured.costs.mean(axis=0)).sum()) if measured.cubes else None,
    )


def _error_of_difference(measured: _Measured, scores: Scores, slope: float) -> float:
    """Standard error of what a codec takes above the bound at its error, over samples that both have."""
    each = measured.costs.sum(axis=1) + (slope * measured.errors - scores.nats) * BITS
    return float(each.std(ddof=1)) / math.sqrt(len(each)) if len(each) > 1 else math.inf


def _lower(law: Law, slope: float, parts: Parts, distortion: float) -> tuple[float, float] | None:
    if not tells(parts.tested.shape[1], len(parts.tested)):
        return None
    found = lower_point(fit_dual(parts.learned, law, slope), parts.tested, distortion)
    return found.rate_bits, found.error_bits


def _words_of_lower(dimension: int, held: int) -> str:
    if tells(dimension, held):
        return "lower bound: Csiszar's dual on samples that fitted nothing; 0 where it says nothing"
    few = f"{held:,} samples held out are too few"
    return NO_LOWER.format(why=f"{dimension:,} features are too many" if dimension > MOST_DIMENSIONS else few)

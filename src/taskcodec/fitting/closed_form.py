"""Closed-form fits: seconds, no gradients, no labels.

    features --compand--> u --centre, linear map--> latent --uniform step--> symbols --tables-->

Two linear maps are offered. `dimensionwise` has none: one step for all features, robust when the codec will meet data
unlike those it was fitted on (square roots or scales by feature lost half a point and more, measured). `bottleneck` is
the linear-Gaussian information bottleneck (Chechik et al., "Information Bottleneck for Gaussian Variables", 2005; the
closed form of "Lossy Compression for Lossless Prediction" for Gaussian features): the space is whitened by the
covariance WITHIN augmented views of one image, so that a step in every direction is small against what augmentations
change, and rotated to the principal axes of the total covariance. Without views the whitening is the identity and the
map is the Karhunen-Loeve transform. Either way the leading axes get a finer step than the rest (`EMPHASIS`), and the
last ones nothing at all (`DISPENSABLE`).
"""

import math
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec, as_features
from taskcodec.entropy_models.empirical import Frozen, freeze, sketch
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.outliers import without_outliers
from taskcodec.fitting.rate import check_step, search_step
from taskcodec.fitting.units import companded_unit, in_unit, rescaled, unit_of
from taskcodec.fitting.within import near_one, within_covariance
from taskcodec.quantization.uniform import MAX_SYMBOL, quantize
from taskcodec.transforms.affine import AffineTransform, outside_share
from taskcodec.transforms.companding import choose_companding, compand
from taskcodec.transforms.spec import BackboneSpec

Array64 = npt.NDArray[np.float64]
Method = Literal["dimensionwise", "bottleneck"]

DEFAULT_BITS = 850.0
"""Default rate in bits per sample: less than a thousandth of a photograph of 110 kB ..."""
DEFAULT_BITS_PER_FEATURE = 4.0
"""... and never more than this for each feature."""
ROUNDING = 0.4
"""A small dead zone: it pays at low rates, where most columns are nearly always zero, and costs nothing at high ones
(measured: benchmarks/README.md)."""
SKETCH_SIZE = 66
WITHIN_RIDGE = 0.5
"""Share of the mean eigenvalue added to the within-view covariance before whitening."""
EMPHASIS = 0.25
"""A latent axis of variance v is quantized with a step in proportion to v ** -EMPHASIS. One step for all axes would be
the best for the mean squared error; but predictors use the leading axes more than their variance says (measured at
128 and 256 bits: 0.1 to 0.6 points, benchmarks/README.md)."""
DISPENSABLE = 0.25
"""At a given rate the weakest axes are left out, as many as together lower the squared error by no more than this share
of what remains of it (of what is gained, where that is less); the others share their bits. That costs squared error.
But most of what those axes carry are rare large values of a few samples, which no predictor learns from (measured from
128 to 512 bits: 0.2 to 0.4 points, benchmarks/README.md)."""
NEVER_WEAK = 0.1
"""No axis with more than this share of the leading one's variance is left out: where all are alike, none is."""
EMPHASIS_FLOOR = 1e-4
"""Share of the leading axis's variance added to each: no axis gets a step beyond ten times the leading one's."""
SHRINKAGE_SAMPLES = 0.1
"""The covariance of n samples of d features is shrunk to its diagonal with weight d c / (n + d c), c this number."""
USUAL_EXPONENT = 6
LARGEST_COVARIANCE = 4096
"""Of more features than these no covariance is formed: its axes would take minutes, soon hours, and gigabytes. The map
is then the Karhunen-Loeve transform within the span of at most so many samples."""
MOST_VALUES = 2**27
"""Values of samples that such a map is made of: half a gigabyte."""
SPAN_FLOOR = 1e-6
"""Share of the leading axis's variance below which an axis within the span is rounding noise."""
USUAL_SYMBOLS = 1000.0, MAX_SYMBOL / 8
"""A column whose largest symbol is beyond the first, which tables hold, and 64 times the median column's, or beyond the
second, gets a coarser step."""
MOST_UNITS = 16
"""How often such columns are looked for: each time they come down by a factor of 8 or more."""
MIN_SAMPLES = 2
LARGEST = 1e15
"""Features beyond this are no measurements, and their squares leave float32."""


def fit(
    features: npt.ArrayLike,
    *,
    bits: float | None = None,
    step: float | None = None,
    method: Method = "bottleneck",
    views: npt.ArrayLike | None = None,
    emphasis: float = EMPHASIS,
    backbone: BackboneSpec | None = None,
    provenance: dict[str, Any] | None = None,
) -> Codec:
    """Fit a codec to unlabelled features.

    Args:
        features: (n, d) the collection, n >= 2.
        bits: rate to meet on these features, in bits per sample (default: `default_bits`, unless `step` is given).
        step: the quantization step instead of a rate.
        method: the linear map, see the module.
        views: (v, m, d) features of v augmented views of each of m images (v >= 2); what differs between the views
            of one image is what the codec need not keep.
        emphasis: how much finer the leading axes of the bottleneck are quantized, see EMPHASIS; 0 minimises the mean
            squared error, and leaves out only axes that are never heard.
        backbone: what computed the features, recorded in the codec.
        provenance: free JSON, recorded in the codec.

    Raises:
        UsageError: an unknown method, both `bits` and `step`, a rate that cannot be met, a step too small for these
            features, features that vary below what float32 holds well, views that do not differ, or views of more than
            LARGEST_COVARIANCE features.
        MismatchError: features that are no (n, d) array of finite numbers.
    """
    if method not in get_args(Method):
        raise UsageError(f"method {method!r} is none of {', '.join(get_args(Method))}")
    x = without_outliers(_checked(features))
    if bits is not None and step is not None:
        raise UsageError("give a rate in bits or a step, not both")
    companding = choose_companding(x) if method == "bottleneck" else "identity"
    if (unit := unit_of(x)) != 1:
        size = companded_unit(unit, companding)
        views = None if views is None else np.asarray(views, np.float32) / np.float32(unit)
        try:
            codec = fit(
                x / np.float32(unit),
                bits=bits,
                step=None if step is None else step / size,
                method=method,
                views=views,
                emphasis=emphasis,
                backbone=backbone,
                provenance=provenance,
            )
        except UsageError as error:
            raise UsageError(f"{error} (in units of {size:g})") from error
        return in_unit(codec, unit)
    companded = compand(x, companding)
    centre = companded.mean(axis=0, dtype=np.float64)
    if method == "dimensionwise":
        transform = _dimensionwise(centre)
    else:
        transform = _bottleneck(companded, views, centre, companding, emphasis)
    latent = transform.analyse(x)
    transform, latent, _ = _near_one(transform, latent)
    deviation = float(latent.std())
    if deviation == 0 and step is None:
        step = 1.0  # constant features: nothing to code at any rate
    if step is not None:
        step = step / float(transform.scale[0])
        check_step(latent, step, float(transform.scale[0]))
        frozen = freeze(latent, step, ROUNDING)
    else:
        rate = default_bits(x.shape[1]) if bits is None else bits
        step, frozen = search_step(latent, rate, deviation, ROUNDING)
        transform, latent, step, frozen = _in_range(transform, latent, step, frozen, rate)
        if method == "bottleneck":
            worth = _worth_their_bits(latent, step, DISPENSABLE if emphasis > 0 else 0.0)
            if len(worth) < latent.shape[1]:
                # Silent columns too: with few samples their smoothed tables take a share of the rate.
                step, frozen = search_step(latent[:, worth], rate, step, ROUNDING)
                transform, latent = _columns(transform, worth), latent[:, worth]
    codec = Codec(
        transform=transform,
        step=float(step),
        rounding=ROUNDING,
        tables=frozen.tables,
        points=frozen.points,
        sketch=sketch(latent, SKETCH_SIZE),
        backbone=backbone,
        provenance={"method": method, "samples": len(x), **(provenance or {})},
    )
    if method == "dimensionwise":
        return codec
    smaller = drop_silent_columns(codec, latent)
    lost = round(outside_share(smaller.transform, x), 4)
    return replace(smaller, provenance={**smaller.provenance, "outside_share": lost})


def _bottleneck(
    companded: npt.NDArray[np.float32], views: npt.ArrayLike | None, centre: Array64, companding: Any, emphasis: float
) -> AffineTransform:
    if companded.shape[1] > LARGEST_COVARIANCE:
        if views is not None:
            raise UsageError(f"views: only for at most {LARGEST_COVARIANCE:,} features, found {companded.shape[1]:,}")
        return _map_of(*_axes_in_span(companded, centre), None, centre, companding, emphasis)
    covariance = shrink(covariance_of(companded), len(companded))
    within = None
    if views is not None:
        within = within_covariance(compand(np.asarray(views, np.float32), companding))
        if within.shape != covariance.shape:
            raise MismatchError(f"views of {len(within)} features, a collection of {len(covariance)}")
        within = near_one(within)
    return bottleneck_transform(covariance, within, centre, companding, emphasis)


def _near_one(
    transform: AffineTransform, latent: npt.NDArray[np.float32]
) -> tuple[AffineTransform, npt.NDArray[np.float32], float]:
    """Latents of an unusual unit near 1, by an exact power of two, so that half precision holds them; and the power."""
    deviation = float(latent.std(dtype=np.float64))
    exponent = round(math.log2(deviation)) if deviation > 0 else 0
    gain = 1.0 if abs(exponent) <= USUAL_EXPONENT else 2.0**exponent
    return rescaled(transform, gain), latent / np.float32(gain), gain


def _in_range(
    transform: AffineTransform, latent: npt.NDArray[np.float32], step: float, frozen: Frozen, rate: float
) -> tuple[AffineTransform, npt.NDArray[np.float32], float, Frozen]:
    """A coarser step for columns in a far larger unit than the rest: else each takes escapes, or all the bits.

    Raises UsageError where the rate is beyond what can be coded.
    """
    best = transform, latent, step, frozen
    share = _share_in_range(latent, step)
    if share.min() == 1:  # the rule: no need to measure anything
        return best
    reached = _bits(latent, step, frozen)
    for _ in range(MOST_UNITS):
        if not np.ptp(latent[:, share == 1], axis=0).any():
            break  # nothing varies but the columns that come down
        transform, latent, gain = _near_one(replace(transform, scale=transform.scale / share), latent * share)
        try:
            step, frozen = search_step(latent, rate, step / gain, ROUNDING)
        except UsageError:
            break
        bits = _bits(latent, step, frozen)
        if bits > 1.01 * reached or bits > 0.98 * rate:  # else the rate is not to be had, so far
            best, reached = (transform, latent, step, frozen), bits
        share = _share_in_range(latent, step)
        if share.min() == 1:
            break
    if reached < 0.98 * rate and np.abs(best[1]).max() > 0.99 * MAX_SYMBOL * best[2]:
        raise UsageError(f"no step gives {rate:g} bits per sample: these data take at most {reached:.1f}")
    return best


def _share_in_range(latent: npt.NDArray[np.float32], step: float) -> npt.NDArray[np.float32]:
    """(k,) what the columns of a latent (n, k) must be scaled by, 1 for those whose symbols have a usual size."""
    largest = np.abs(latent).max(axis=0) / np.float32(step)
    usual = np.clip(64 * np.median(largest), *USUAL_SYMBOLS)
    return np.asarray(usual / np.maximum(largest, usual), dtype=np.float32)


def _bits(latent: npt.NDArray[np.float32], step: float, frozen: Frozen) -> float:
    return float(frozen.tables.code_length(quantize(latent, step, ROUNDING)).mean())


def _worth_their_bits(latent: npt.NDArray[np.float32], step: float, dispensable: float) -> npt.NDArray[np.intp]:
    """The columns of a latent (n, k), rising, without those that can go (see DISPENSABLE); at least one."""
    error = latent - quantize(latent, step, ROUNDING) * np.float32(step)
    power, lost = (np.asarray(np.mean(values**2, axis=0, dtype=np.float64)) for values in (latent, error))
    gained = np.maximum(power - lost, 0.0)
    order = np.argsort(gained, kind="stable")
    spared = np.cumsum(gained[order]) <= dispensable * min(lost.sum(), gained.sum())
    spared &= power[order] <= NEVER_WEAK * power.max()
    spared[-1] = False
    return np.sort(order[~spared])


def default_bits(dimension: int) -> float:
    """The rate where none is asked for, in bits per sample of `dimension` features."""
    return min(DEFAULT_BITS, DEFAULT_BITS_PER_FEATURE * dimension)


def drop_silent_columns(codec: Codec, latent: npt.NDArray[np.float32]) -> Codec:
    """Remove the latent columns that are zero for all of these samples at this step: they cost matrices, not bits."""
    symbols = quantize(latent, codec.step, codec.rounding)
    keep = np.flatnonzero((symbols != 0).any(axis=0))
    if len(keep) in (0, codec.columns):
        return codec
    frozen = freeze(latent[:, keep], codec.step, codec.rounding)
    return replace(
        codec,
        transform=_columns(codec.transform, keep),
        tables=frozen.tables,
        points=frozen.points,
        sketch=codec.sketch[:, keep],
    )


def _columns(transform: AffineTransform, keep: npt.NDArray[np.intp]) -> AffineTransform:
    assert transform.analysis_matrix is not None
    assert transform.synthesis_matrix is not None
    return replace(
        transform,
        scale=transform.scale[keep],
        analysis_matrix=transform.analysis_matrix[:, keep],
        synthesis_matrix=transform.synthesis_matrix[keep],
    )


def bottleneck_transform(
    covariance: Array64, within: Array64 | None, centre: Array64, companding: Any, emphasis: float
) -> AffineTransform:
    """Whiten by `within` (with its ridge), rotate to the principal axes of the total covariance; all (d, d)."""
    if within is None:
        return _map_of(*np.linalg.eigh(covariance), None, centre, companding, emphasis)
    d = len(covariance)
    values, vectors = np.linalg.eigh(within + WITHIN_RIDGE * np.trace(within) / d * np.eye(d))
    whiten, unwhiten = (vectors * values**-0.5) @ vectors.T, (vectors * values**0.5) @ vectors.T
    return _map_of(*np.linalg.eigh(whiten @ covariance @ whiten), (whiten, unwhiten), centre, companding, emphasis)


def _axes_in_span(x: npt.NDArray[np.float32], centre: Array64) -> tuple[Array64, Array64]:
    """Variances (k,) rising and principal axes (d, k) within the span of samples (n, d), without a matrix (d, d)."""
    count = min(len(x), LARGEST_COVARIANCE, max(MIN_SAMPLES, MOST_VALUES // x.shape[1]))
    centred = x[np.linspace(0, len(x) - 1, count).astype(np.intp)] - centre.astype(np.float32)
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    kept = values > values[-1] * SPAN_FLOOR
    if not kept.any():
        return np.zeros(1), np.eye(x.shape[1], 1)  # constant features
    axes = centred.T @ (vectors[:, kept] * values[kept] ** -0.5).astype(np.float32)
    return values[kept] / count, axes.astype(np.float64)


def _map_of(
    variances: Array64,
    axes: Array64,
    whitening: tuple[Array64, Array64] | None,
    centre: Array64,
    companding: Any,
    emphasis: float,
) -> AffineTransform:
    """The map onto axes (d, k) of variances (k,), rising as eigh gives them, between a whitening and its inverse."""
    variances, axes = variances[::-1], axes[:, ::-1]
    relative = np.maximum(variances, 0.0) / variances[0] if variances[0] > 0 else np.ones(len(variances))
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(len(variances))] < 0, -1.0, 1.0)
    whiten, unwhiten = (axes, axes.T) if whitening is None else (whitening[0] @ axes, axes.T @ whitening[1])
    # float16, as they will be saved: the codec in memory and the one read back are then the same.
    return AffineTransform(
        companding=companding,
        centre=centre.astype(np.float32),
        scale=(((relative + EMPHASIS_FLOOR) / (1 + EMPHASIS_FLOOR)) ** -emphasis).astype(np.float32),
        analysis_matrix=whiten.astype(np.float16, order="C").astype(np.float32),
        synthesis_matrix=unwhiten.astype(np.float16, order="C").astype(np.float32),
    )


def covariance_of(x: npt.NDArray[np.float32]) -> Array64:
    """(n, d) -> (d, d), double precision."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    return np.asarray(centred.T @ centred / max(len(x) - 1, 1))


def shrink(covariance: Array64, samples: int) -> Array64:
    """Shrink the covariance of few samples to its diagonal, so that directions never seen keep a variance."""
    d = len(covariance)
    weight = d * SHRINKAGE_SAMPLES / (samples + d * SHRINKAGE_SAMPLES)
    return np.asarray((1 - weight) * covariance + weight * np.diag(np.diag(covariance)))


def _dimensionwise(centre: Array64) -> AffineTransform:
    return AffineTransform("identity", centre.astype(np.float32), np.ones(len(centre), np.float32))


def _checked(features: npt.ArrayLike) -> npt.NDArray[np.float32]:
    x = as_features(features)
    if x.ndim != 2 or len(x) < MIN_SAMPLES or x.shape[1] < 1:
        raise MismatchError(f"expected at least {MIN_SAMPLES} feature vectors as an (n, d) array, found {x.shape}")
    if not np.isfinite(x).all():
        raise MismatchError("features hold NaN or infinity")
    if np.abs(x).max() > LARGEST:
        raise MismatchError(f"features beyond {LARGEST:g} in magnitude: bring them to a sensible unit first")
    return x

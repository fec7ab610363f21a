"""Closed-form fits: seconds, no gradients, no labels.

    features --compand--> u --centre, linear map--> latent --uniform step--> symbols --tables-->

Two linear maps are offered. `dimensionwise` has none: one step for all features, robust when the codec will meet data
unlike those it was fitted on (square roots or scales by feature lost half a point and more, measured). `bottleneck` is
the linear-Gaussian information bottleneck (Chechik et al., "Information Bottleneck for Gaussian Variables", 2005; the
closed form of "Lossy Compression for Lossless Prediction" for Gaussian features): the space is whitened by the
covariance WITHIN augmented views of one image, so that a step in every direction is small against what augmentations
change, and rotated to the principal axes of the total covariance. Without views the whitening is the identity and the
map is the Karhunen-Loeve transform, whose axes are kept as coded integers. Either way the leading axes get a finer step
than the rest (`EMPHASIS`), and the last ones nothing at all (`DISPENSABLE`).
"""

import math
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.entropy_models.empirical import Frozen, freeze, freeze_shared, sketch_of
from taskcodec.errors import MismatchError, UsageError, check_one_of
from taskcodec.fitting.closed_form.coded_axes import with_coded_axes
from taskcodec.fitting.closed_form.inputs import centre_of, checked, is_unit_norm
from taskcodec.fitting.closed_form.leading import Array64, covariance_of, leading_axes, shrink
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.fitting.closed_form.rate import check_rate, check_step, search_step, uniform_of
from taskcodec.fitting.closed_form.units import companded_unit, in_unit, rescaled, unit_of
from taskcodec.fitting.closed_form.within import near_one, within_covariance
from taskcodec.layer import BASE, Layer
from taskcodec.quantization.uniform import MAX_SYMBOL, quantize
from taskcodec.samples import as_features, spread_rows
from taskcodec.transforms.affine import AffineTransform, outside_share
from taskcodec.transforms.companding import choose_companding, compand
from taskcodec.transforms.spec import BackboneSpec

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
EMPHASIS = 0.4
"""A latent axis of variance v is quantized with a step in proportion to v ** -EMPHASIS. One step for all axes would be
the best for the mean squared error; but predictors use the leading axes more than their variance says (measured at
200 and 290 bits on five sets apart from those reported: .2 to .4 points against .25, benchmarks/README.md)."""
DISPENSABLE = 0.4
"""At a given rate the weakest axes are left out, as many as together lower the squared error by no more than this share
of what remains of it (of what is gained, where that is less); the others share their bits. That costs squared error.
But most of what those axes carry are rare large values of a few samples, which no predictor learns from (measured on
the same sets: .1 to .3 points against .25; from .7 on it costs, benchmarks/README.md)."""
NEVER_WEAK = 0.1
"""No axis with more than this share of the leading one's variance is left out: where all are alike, none is."""
EMPHASIS_FLOOR = 3e-3
"""Share of the leading axis's variance added to each: no axis gets a step beyond ten times the leading one's."""
AXES_PER_BIT, MORE_AXES = 0.5, 48
"""Axes that are looked at, for each bit of the rate and beside: half of them or fewer is kept."""
FEW_SAMPLES, FINE_BITS = 5, 0.75
"""Fewer samples than a fifth of the rate in bits are too few for axes of their own, along which others do not lie.
Features are then coded as they are, where the rate is more than the second number for each feature."""
BITS_PER_AXIS = 32.0
"""Likewise where the rate is more than this for each axis, of which n samples have n - 1: so many are not to be had."""
SHARING_SAMPLES = 512
"""Of fewer samples than these, columns of about the same spread share a table."""
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


def fit(
    features: npt.ArrayLike,
    *,
    bits: float | None = None,
    step: float | None = None,
    method: Method | None = None,
    views: npt.ArrayLike | None = None,
    emphasis: float = EMPHASIS,
    backbone: BackboneSpec | None = None,
    provenance: dict[str, Any] | None = None,
) -> Codec:
    """Fit a codec to unlabelled features.

    Args:
        features: (n, d) the collection, n >= 1.
        bits: rate to meet on these features, in bits per sample (default: `default_bits`, unless `step` is given).
        step: the quantization step instead of a rate.
        method: the linear map, see the module; by default the bottleneck, unless there are fewer than FEW_SAMPLES
            samples for five bits of the rate: those would be learned by heart.
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
    if method is not None:
        check_one_of("method", method, get_args(Method))
    x = without_outliers(checked(features))
    if bits is not None and step is not None:
        raise UsageError("give a rate in bits or a step, not both")
    rate = default_bits(x.shape[1]) if bits is None else bits
    check_rate(rate)
    if method is None:
        few = FEW_SAMPLES * len(x) < rate > FINE_BITS * x.shape[1] or rate > BITS_PER_AXIS * (len(x) - 1)
        method = "dimensionwise" if len(x) < 2 or (few and step is None and views is None) else "bottleneck"
    companding = choose_companding(x) if method == "bottleneck" else "identity"
    if (unit := unit_of(x)) != 1:
        size = companded_unit(unit, companding)
        views = None if views is None else as_features(views) / np.float32(unit)
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
    if method == "dimensionwise":
        transform = _dimensionwise(centre_of(companded))
    else:
        centre = companded.mean(axis=0, dtype=np.float64)  # whatever lies off it should lie along the axes
        count = x.shape[1] if step is not None else min(x.shape[1], int(AXES_PER_BIT * rate) + MORE_AXES)
        count = min(count, max(len(x) - 1, 1))  # beyond these nothing varies: whatever comes there would be a surprise
        transform = _bottleneck(companded, views, centre, companding, emphasis, count)
    transform = replace(transform, unit_norm=is_unit_norm(x))
    latent = transform.analyse(x)
    transform, latent, _ = _near_one(transform, latent)
    deviation = float(latent.std())
    if deviation == 0 and step is None:
        step = 1.0  # constant features: nothing to code at any rate
    fixed, sharing = step is not None, method == "dimensionwise" and len(x) < SHARING_SAMPLES

    def frozen_at(step: float) -> Frozen:
        return freeze_shared(latent, step, ROUNDING) if sharing else freeze(latent, step, ROUNDING)

    if step is not None:
        step = step / float(transform.scale[0])
        check_step(latent, step, float(transform.scale[0]))
        frozen = frozen_at(step)
    else:
        step, frozen = search_step(latent, rate, deviation, ROUNDING, frozen_at=frozen_at)
        if not sharing:
            transform, latent, step, frozen = _in_range(transform, latent, step, frozen, rate)
        if method == "bottleneck":
            worth = _worth_their_bits(latent, step, DISPENSABLE if emphasis > 0 else 0.0)
            if len(worth) < latent.shape[1]:
                # Silent columns too: with few samples their smoothed tables take a share of the rate.
                step, frozen = search_step(latent[:, worth], rate, step, ROUNDING)
                transform, latent = transform.take(worth), latent[:, worth]
    density = sketch_of(latent, SKETCH_SIZE, frozen.model)
    base = Layer(BASE, transform, frozen.quantizer, frozen.model, density)
    codec = Codec.of_layer(base, backbone, {"method": method, "samples": len(x), **(provenance or {})})
    if method == "dimensionwise":
        return codec
    smaller = drop_silent_columns(codec, latent)
    if views is None:
        smaller = with_coded_axes(smaller, x, None if fixed else rate)
    lost = round(outside_share(smaller.base.transform.affine, x), 4)
    return replace(smaller, provenance={**smaller.provenance, "outside_share": lost})


def _bottleneck(
    companded: npt.NDArray[np.float32],
    views: npt.ArrayLike | None,
    centre: Array64,
    companding: Any,
    emphasis: float,
    count: int,
) -> AffineTransform:
    if companded.shape[1] > LARGEST_COVARIANCE:
        if views is not None:
            raise UsageError(f"views: only for at most {LARGEST_COVARIANCE:,} features, found {companded.shape[1]:,}")
        return _map_of(*_axes_in_span(companded, centre), None, centre, companding, emphasis)
    covariance = shrink(covariance_of(companded), len(companded))
    within = None
    if views is not None:
        within = within_covariance(compand(as_features(views), companding))
        if within.shape != covariance.shape:
            raise MismatchError(f"views of {len(within)} features, a collection of {len(covariance)}")
        within = near_one(within)
    if within is None:
        return _map_of(*leading_axes(covariance, count), None, centre, companding, emphasis)
    return _whitened(covariance, within, centre, companding, emphasis)


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
    return float(frozen.model.code_length(quantize(latent, step, ROUNDING)).mean())


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
    base, quantizer = codec.base, uniform_of(codec)
    symbols = quantizer.quantize(latent)
    keep = np.flatnonzero((symbols != 0).any(axis=0))
    if len(keep) in (0, codec.columns):
        return codec
    frozen = freeze(latent[:, keep], quantizer.step, quantizer.rounding)
    transform = base.transform.affine.take(keep)
    return codec.with_base(Layer(base.name, transform, frozen.quantizer, frozen.model, base.sketch[:, keep]))


def _whitened(
    covariance: Array64, within: Array64, centre: Array64, companding: Any, emphasis: float
) -> AffineTransform:
    """Whiten by `within` (with its ridge), rotate to the principal axes of the total covariance; all (d, d)."""
    d = len(covariance)
    values, vectors = np.linalg.eigh(within + WITHIN_RIDGE * np.trace(within) / d * np.eye(d))
    whiten, unwhiten = (vectors * values**-0.5) @ vectors.T, (vectors * values**0.5) @ vectors.T
    return _map_of(*np.linalg.eigh(whiten @ covariance @ whiten), (whiten, unwhiten), centre, companding, emphasis)


def _axes_in_span(x: npt.NDArray[np.float32], centre: Array64) -> tuple[Array64, Array64]:
    """Variances (k,) rising and principal axes (d, k) within the span of samples (n, d), without a matrix (d, d)."""
    count = min(len(x), LARGEST_COVARIANCE, max(2, MOST_VALUES // x.shape[1]))
    centred = x[spread_rows(len(x), count)] - centre.astype(np.float32)
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


def _dimensionwise(centre: Array64) -> AffineTransform:
    return AffineTransform("identity", centre.astype(np.float32), np.ones(len(centre), np.float32))

"""The codec of a collection where none is named: fitted to it, without labels, at a rate that follows from its size.

Two kinds of codec are to be had of the samples of a collection, and the bytes of the whole store decide.

    features as they are     one step for all features, or for each where units differ, columns of one spread share a
    (dimension-wise)         table: about 1.5 bits a feature, 15 kB of codec and tables; keeps what samples hold
                             that were not there at the fit
    leading axes             a tenth to a fifth of those bits, some 65 kB of codec; keeps what varies in the collection
    (bottleneck)

So a small collection pays in bits, which cost it next to nothing, and a large one pays for axes. How the constants were
chosen: on sets and seeds apart from those that are reported (benchmarks/README.md).
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError, check_one_of
from taskcodec.fitting.closed_form.fit import FEW_SAMPLES, LARGEST_COVARIANCE, ROUNDING, fit
from taskcodec.fitting.closed_form.inputs import centre_of, checked, is_unit_norm
from taskcodec.fitting.closed_form.leading import covariance_of, leading_axes, shrink
from taskcodec.fitting.closed_form.likeness import Likeness, likeness
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.transforms.affine import AffineTransform, outside_share
from taskcodec.transforms.companding import compand
from taskcodec.transforms.spec import BackboneSpec

Quality = Literal["small", "usual", "safe"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)

FEW, BITS_PER_SAMPLE, FEW_BITS = 1000, 0.45, (330.0, 420.0)
"""The usual rate of leading axes for fewer samples than the first number: so many bits for each of them, within the
bounds. What a few tell of which axes count is less certain, and beside the axes their codes weigh little ..."""
AXES_BITS, AXES_SAMPLES = 290.0, 3000
"""... from there on this rate, up to so many ..."""
FEWER_BITS, LEAST_BITS = 85.0, 160.0
"""... and then less so many bits for each tenfold of them, down to the second number: predictors that learn from more
samples feel less of the noise, and at such numbers a picture's own record takes nearly as much as its code."""
RATES: dict[Quality, float] = {"small": 0.45, "usual": 1.0, "safe": 3.0}
"""The rate of each quality, as a share of the usual one."""
LOST: dict[Quality, float] = {"small": 0.04, "usual": 0.0125, "safe": 0.004}
"""The share of the variance that features coded as they are may lose."""
MOST_BITS_PER_FEATURE = 4.0
"""More than this for each feature tells nothing new: of narrow features it is the rate."""
WORTH = 0.75
"""Axes are taken where they make the whole store smaller than this share of what it is without them: that codecs of
features as they are keep of samples they have not seen is worth the rest."""
AXES_PER_BIT, BITS_PER_NUMBER = 0.33, 3.6
"""What codecs of leading axes have: axes for each bit of the rate, and bits for each of an axis's numbers."""
PLAIN_BYTES, TABLE_BYTES = 11, 60
"""What a store of features as they are takes for each feature beside codes and records, and one of axes for each axis
beside its numbers: tables in codec and array."""
ISOTROPIC, MORE = 0.15, 1.5
"""Where leading axes keep less than this share of the variance of samples held back, nothing leads: the rate is raised
by the second factor until they do; where that takes as many bits as features as they are, those are taken."""
FORGOTTEN = 0.05
"""Where features are in different units, axes that keep less than this share of the variance of the median feature have
forgotten the others."""
FINEST = 2.0**-20
"""The unit of a feature is at least this share of its largest value: below lies what float32 rounds away."""
SILENT = 1e-3
"""In fewer than LEAST_SAMPLES samples a feature that nowhere reaches this share of the step is in another unit."""
HELD_BACK = 4
"""Every so many-th sample is held back to measure what a fit keeps of samples that it has not seen."""
LEAST_SAMPLES = 8
"""Of fewer samples none is held back."""
TRIED = 256
"""About so many samples tell what features as they are would take."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Kept:
    """What is kept of samples held back, and the share of their variance outside the directions that are kept."""

    likeness: Likeness
    outside: float


def fit_usual(
    features: Features,
    samples: int,
    *,
    bits: float | None = None,
    quality: Quality = "usual",
    backbone: BackboneSpec | None = None,
) -> Codec:
    """The codec of a collection, without labels.

    Args:
        features: (m, d) of samples spread over it, m >= 1.
        samples: how many the collection has.
        bits: a rate to meet on these features instead of the one that follows.
        quality: "small", "usual" or "safe": more bits for less loss.
        backbone: what computed the features.

    The codec's provenance records how many samples were held back from a like fit, `held_back`, and what that kept of
    them: `variance_kept`, `cosine`, `outside_share` (null where they do not vary; missing where none were held back).

    Raises:
        UsageError: no such quality, or a rate that cannot be met.
        MismatchError: features that are no (m, d) array of finite numbers.
    """
    check_one_of("quality", quality, QUALITIES)
    x = without_outliers(checked(features))
    if bits is not None:
        codec = _at_rate(x, bits, backbone)
        kept = _kept_of_others(codec, x)
    else:
        codec, kept = _chosen(x, samples, quality, backbone)
    found: dict[str, Any] = {"held_back": 0}
    if len(x) >= LEAST_SAMPLES:
        found = {
            "held_back": len(_held(x)),
            "variance_kept": _rounded(kept.likeness.variance_kept),
            "cosine": _rounded(kept.likeness.mean_cosine),
            "outside_share": _rounded(kept.outside),
        }
    # Nobody asks a store for another rate: the density that could give one stays out of it.
    base = replace(codec.base, sketch=codec.base.sketch[:0])
    return codec.with_base(base, provenance={**codec.provenance, **found, "fitted": True})


def axes_bits(samples: int, dimension: int, quality: Quality = "usual") -> float:
    """The rate of leading axes of a collection of so many samples, in bits a sample."""
    tenfolds = max(0.0, math.log10(max(samples, 1) / AXES_SAMPLES))
    usual = max(LEAST_BITS, AXES_BITS - FEWER_BITS * tenfolds)
    if samples < FEW:
        usual = min(max(BITS_PER_SAMPLE * samples, FEW_BITS[0]), FEW_BITS[1])
    return min(RATES[quality] * usual, MOST_BITS_PER_FEATURE * dimension)


def _at_rate(features: Features, bits: float, backbone: BackboneSpec | None) -> Codec:
    """The codec at a rate; features as they are where the axes of so few samples cannot take it."""
    try:
        return fit(features, bits=bits, backbone=backbone)
    except UsageError:
        return fit(features, bits=bits, method="dimensionwise", backbone=backbone)


def _chosen(features: Features, samples: int, quality: Quality, backbone: BackboneSpec | None) -> tuple[Codec, _Kept]:
    d, bits = features.shape[1], axes_bits(samples, features.shape[1], quality)
    few = features[:: max(1, len(features) // TRIED)]
    tried = _plain(few, quality, None)
    plain_bits = tried.rate_of(few)
    without = samples * plain_bits / 8 + PLAIN_BYTES * d
    within = _axes_bytes(samples, d, bits)
    narrow = bits >= plain_bits or within > WORTH * without
    if narrow:  # axes are worth something only if they keep as much in fewer bits
        bits = plain_bits / 2
        within = _axes_bytes(samples, d, bits)
    # Of features in units of their own, the largest alone would have nearly all of the variance.
    one_step = _one_step(features, quality) is not None
    if within <= WORTH * without and len(features) * FEW_SAMPLES >= bits and (one_step or not narrow):
        found = _axes(features, bits, plain_bits, quality, backbone)
        enough = one_step and found is not None and (found[1].likeness.variance_kept or 0.0) >= 1 - LOST[quality]
        if found is not None and (enough or not narrow):
            found = _fewer_bits(features, found, quality, backbone) if enough else found
            if _store_bytes(found[0], features, samples) <= without:
                return found
    codec = _plain(features, quality, backbone)
    return codec, _kept_of_others(codec, features)


def _axes_bytes(samples: int, dimension: int, bits: float) -> float:
    """About what a store of leading axes takes, records apart."""
    axes = min(AXES_PER_BIT * bits, dimension)
    return samples * bits / 8 + axes * (dimension * BITS_PER_NUMBER / 8 + TABLE_BYTES)


def _store_bytes(codec: Codec, features: Features, samples: int) -> float:
    """What a store takes, records apart: codes, and the codec, whose tables the array has once more."""
    few = features[:: max(1, len(features) // TRIED)]
    base, codes = codec.base, samples * codec.rate_of(few) / 8
    return codes + len(codec.to_bytes()) - base.sketch.nbytes / 2 + 4 / 3 * len(base.model.to_bytes())


def _fewer_bits(
    features: Features, found: tuple[Codec, _Kept], quality: Quality, backbone: BackboneSpec | None
) -> tuple[Codec, _Kept]:
    """Axes at the least rate that keeps what features as they are would: of data with few directions."""
    bits = found[0].rate_of(features[:TRIED])
    while (bits := bits / MORE) >= 1:
        try:
            codec = fit(features, bits=bits, method="bottleneck", backbone=backbone)
        except UsageError:
            break
        kept = _kept_of_others(codec, features)
        if (kept.likeness.variance_kept or 0.0) < 1 - LOST[quality]:
            break
        found = codec, kept
    return found


def _axes(
    features: Features, bits: float, most_bits: float, quality: Quality, backbone: BackboneSpec | None
) -> tuple[Codec, _Kept] | None:
    """Leading axes at the least rate from `bits` on that keeps what it should; None where that takes `most_bits`."""
    in_units = _one_step(features, quality) is None
    while True:
        try:
            codec = fit(features, bits=bits, method="bottleneck", backbone=backbone)
        except UsageError:  # so many bits are not to be had
            return None
        kept = _kept_of_others(codec, features)
        like = kept.likeness
        if like.variance_kept is None or like.of_median_feature is None:
            return codec, kept
        if in_units and like.of_median_feature < FORGOTTEN:
            return None
        if like.variance_kept >= ISOTROPIC:
            return codec, kept
        bits *= MORE if like.variance_kept > ISOTROPIC / 2 else MORE**2
        if bits >= most_bits:
            return None


def _plain(features: Features, quality: Quality, backbone: BackboneSpec | None) -> Codec:
    """Features as they are, at the step that loses about the share of their variance that this quality may lose."""
    step = _one_step(features, quality)
    if step is not None:
        return fit(features, step=step, method="dimensionwise", backbone=backbone)
    away = features - centre_of(features).astype(np.float32)
    spread = np.sqrt(_power(away)) if len(features) > 1 else np.abs(features[0])
    units = np.maximum(spread, np.abs(features).max(axis=0) * FINEST)
    units = np.exp2(np.round(np.log2(np.maximum(units, np.finfo(np.float32).tiny)))).astype(np.float32)
    codec = fit(features / units, step=math.sqrt(12 * LOST[quality]), method="dimensionwise", backbone=backbone)
    affine = codec.base.transform.affine
    transform = replace(
        affine, centre=affine.centre * units, scale=affine.scale * units, unit_norm=is_unit_norm(features)
    )
    return codec.with_base(replace(codec.base, transform=transform))


def _one_step(features: Features, quality: Quality) -> float | None:
    """The step of all features; None where units differ so that it would keep nothing of half of them."""
    away = features - centre_of(features).astype(np.float32)
    step = math.sqrt(12 * LOST[quality] * float(_power(away).mean())) or 1.0
    largest = np.abs(away).max(axis=0)
    # Of very few samples many features are near their centre by chance.
    lost = largest[largest > 0] < step * (1 - ROUNDING if len(features) >= LEAST_SAMPLES else SILENT)
    return None if 2 * int(lost.sum()) >= max(len(lost), 1) else step


def _power(away: Features) -> npt.NDArray[np.float64]:
    """(d,) mean squares."""
    return np.asarray(np.einsum("nd,nd->d", away, away, dtype=np.float64) / len(away), dtype=np.float64)


def _kept_of_others(codec: Codec, features: Features) -> _Kept:
    """What a codec like this one, of the other samples, keeps of those held back."""
    held, like = _held(features), _like(codec, features)
    return _Kept(likeness(held, like.decode(like.encode(held))), outside_share(like.base.transform.affine, held))


def _like(codec: Codec, features: Features) -> Codec:
    """The codec as samples other than those held back would have it: its step and tables, their centre and axes."""
    if len(features) < LEAST_SAMPLES:
        return codec
    transform, learned = codec.base.transform.affine, features[np.arange(len(features)) % HELD_BACK != 0]
    companded = compand(learned, transform.companding)
    centre = companded.mean(axis=0, dtype=np.float64).astype(np.float32)
    if transform.axes is None or transform.dimension > LARGEST_COVARIANCE:
        return codec.with_base(replace(codec.base, transform=replace(transform, centre=centre)))
    k, d = transform.columns, transform.dimension
    # A few more are asked for than are taken: the last ones are not exact.
    found = leading_axes(shrink(covariance_of(companded), len(learned)), min(d, k + k // 4 + 8))[1]
    axes = np.ascontiguousarray(found[:, ::-1][:, :k], dtype=np.float32)
    like = AffineTransform(
        transform.companding, centre, transform.scale, axes, np.ascontiguousarray(axes.T), unit_norm=transform.unit_norm
    )
    return codec.with_base(replace(codec.base, transform=like))


def _held(features: Features) -> Features:
    return features if len(features) < LEAST_SAMPLES else features[::HELD_BACK]


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)

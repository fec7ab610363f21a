"""The codec of a collection where none is named: fitted to it, without labels, at a rate that follows from its size.

Two kinds of codec are to be had of the samples of a collection, and the bytes of the whole store decide.

    features as they are     one step for all features, columns of one spread share a table: about 1.5 bits a feature,
    (dimension-wise)         15 kB of codec; keeps what samples hold that were not there at the fit
    leading axes             a tenth to a fifth of those bits, some 65 kB of codec; keeps what varies in the collection
    (bottleneck)

So a small collection pays in bits, which cost it next to nothing, and a large one pays for axes. How the constants were
chosen: on sets and seeds apart from those that are reported (benchmarks/README.md).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form import LARGEST_COVARIANCE, fit
from taskcodec.fitting.leading import covariance_of, leading_axes, shrink
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.companding import compand
from taskcodec.transforms.spec import BackboneSpec

Quality = Literal["small", "usual", "safe"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)

AXES_BITS, AXES_SAMPLES = 290.0, 3000
"""The usual rate of leading axes, in bits a sample, for up to so many samples ..."""
FEWER_BITS, LEAST_BITS = 82.0, 165.0
"""... less so many bits for each tenfold of them, down to the second number: predictors that learn from more samples
feel less of the noise, and at such numbers a picture's own record takes nearly as much as its code."""
RATES: dict[Quality, float] = {"small": 0.45, "usual": 1.0, "safe": 3.0}
"""The rate of each quality, as a share of the usual one."""
LOST: dict[Quality, float] = {"small": 0.04, "usual": 0.0125, "safe": 0.004}
"""The share of the variance that features coded as they are may lose."""
MOST_BITS_PER_FEATURE = 4.0
"""More than this for each feature tells nothing new: of narrow features it is the rate."""
WORTH = 0.7
"""Axes are taken where they make the whole store smaller than this share of what it is without them: that codecs of
features as they are keep of samples they have not seen is worth the rest."""
AXES_PER_BIT, BITS_PER_NUMBER = 0.33, 3.6
"""What codecs of leading axes have: axes for each bit of the rate, and bits for each of an axis's numbers."""
SHARED_BYTES = 14_000
"""What a store of features as they are takes beside its codes, records apart."""
ISOTROPIC, MORE = 0.25, 1.5
"""Where leading axes keep less than this share of the variance of samples held back, nothing leads: the rate is raised
by the second factor until they do."""
UNITS = 0.5
"""Where one feature has more than this share of the variance of all, features are in different units."""
HELD_BACK = 4
"""Every so many-th sample is held back to measure what a fit keeps of samples that it has not seen."""
LEAST_SAMPLES = 8
"""Of fewer samples none is held back."""
TRIED = 256
"""About so many samples tell what features as they are would take."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Kept:
    """What a codec keeps of features: the share of their variance, and the mean cosine of samples before and after."""

    variance: float
    cosine: float


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

    The codec's provenance records `variance_kept` and `cosine` of samples that were held back from a like fit (of all
    where there are fewer than LEAST_SAMPLES), and how many these were, `held_back`.

    Raises:
        UsageError: no such quality, or a rate that cannot be met.
        MismatchError: features that are no (m, d) array of finite numbers.
    """
    if quality not in QUALITIES:
        raise UsageError(f"quality {quality!r} is none of {', '.join(QUALITIES)}")
    if bits is not None:
        codec = fit(features, bits=bits, backbone=backbone)
        kept = _kept_of_others(codec, features)
    else:
        codec, kept = _chosen(features, samples, quality, backbone)
    held = len(features[::HELD_BACK]) if len(features) >= LEAST_SAMPLES else 0
    found = {"variance_kept": round(kept.variance, 4), "cosine": round(kept.cosine, 4), "held_back": held}
    # Nobody asks a store for another rate: the density that could give one stays out of it.
    sketch = np.empty((0, codec.columns), np.float32)
    return replace(codec, sketch=sketch, provenance={**codec.provenance, **found, "fitted": True})


def axes_bits(samples: int, dimension: int, quality: Quality = "usual") -> float:
    """The rate of leading axes of a collection of so many samples, in bits a sample."""
    tenfolds = max(0.0, math.log10(max(samples, 1) / AXES_SAMPLES))
    usual = max(LEAST_BITS, AXES_BITS - FEWER_BITS * tenfolds)
    return min(RATES[quality] * usual, MOST_BITS_PER_FEATURE * dimension)


def kept_of(codec: Codec, features: Features) -> Kept:
    """What a codec keeps of (n, d) features."""
    decoded = codec.decode(codec.encode(features))
    x, y = features.astype(np.float64), decoded.astype(np.float64)
    varies = float(np.square(x - x.mean(axis=0)).sum())
    lost = float(np.square(x - y).sum())
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines = (x * y).sum(axis=1)[norms > 0] / norms[norms > 0]
    return Kept(1 - lost / varies if varies > 0 else float(lost == 0), float(cosines.mean()) if len(cosines) else 1.0)


def _chosen(features: Features, samples: int, quality: Quality, backbone: BackboneSpec | None) -> tuple[Codec, Kept]:
    d, bits = features.shape[1], axes_bits(samples, features.shape[1], quality)
    few = features[:: max(1, len(features) // TRIED)]
    tried = _plain(few, quality, None)
    plain_bits = float(tried.tables.code_length(tried.encode(few)).mean())
    without = samples * plain_bits / 8 + SHARED_BYTES
    within = samples * bits / 8 + min(AXES_PER_BIT * bits, d) * d * BITS_PER_NUMBER / 8
    if within > WORTH * without or len(features) < 2:
        codec = _plain(features, quality, backbone)
        return codec, _kept_of_others(codec, features)
    codec = fit(features, bits=bits, method="bottleneck", backbone=backbone)
    kept = _kept_of_others(codec, features)
    while kept.variance < ISOTROPIC and bits < plain_bits:
        bits = min(MORE * bits, plain_bits)
        codec = fit(features, bits=bits, method="bottleneck", backbone=backbone)
        kept = _kept_of_others(codec, features)
    return codec, kept


def _plain(features: Features, quality: Quality, backbone: BackboneSpec | None) -> Codec:
    """Features as they are, at the step that loses about the share of their variance that this quality may lose."""
    variances = features.var(axis=0, dtype=np.float64)
    variance = float(variances.mean()) or float(features.var(dtype=np.float64))
    if len(variances) > 2 and variances.max() > UNITS * variances.sum():
        # One step for features in so different units would keep one of them alone: axes have their own.
        return fit(features, bits=axes_bits(1, len(variances), "safe"), method="bottleneck", backbone=backbone)
    step = math.sqrt(12 * LOST[quality] * variance) if variance > 0 else 1.0
    return fit(features, step=step, method="dimensionwise", backbone=backbone)


def _kept_of_others(codec: Codec, features: Features) -> Kept:
    """What a codec like this one, of the other samples, keeps of those held back."""
    return kept_of(_like(codec, features), _held(features))


def _like(codec: Codec, features: Features) -> Codec:
    """The codec as samples other than those held back would have it: its step and tables, their centre and axes."""
    transform, learned = codec.transform, _learned(features)
    companded = compand(learned, transform.companding)
    centre = companded.mean(axis=0, dtype=np.float64).astype(np.float32)
    if transform.axes is None or transform.dimension > LARGEST_COVARIANCE or len(features) < LEAST_SAMPLES:
        return replace(codec, transform=replace(transform, centre=centre))
    k, d = transform.columns, transform.dimension
    # A few more are asked for than are taken: the last ones are not exact.
    found = leading_axes(shrink(covariance_of(companded), len(learned)), min(d, k + k // 4 + 8))[1]
    axes = np.ascontiguousarray(found[:, ::-1][:, :k], dtype=np.float32)
    like = AffineTransform(
        transform.companding, centre, transform.scale, axes, np.ascontiguousarray(axes.T), unit_norm=transform.unit_norm
    )
    return replace(codec, transform=like)


def _learned(features: Features) -> Features:
    if len(features) < LEAST_SAMPLES:
        return features
    return np.asarray(features[np.arange(len(features)) % HELD_BACK != 0])


def _held(features: Features) -> Features:
    return features if len(features) < LEAST_SAMPLES else features[::HELD_BACK]

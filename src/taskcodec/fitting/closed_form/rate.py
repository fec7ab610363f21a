"""A codec at another rate: its transform at another step, or refitted to the data about to be written.

The step is a continuous knob. Each function returns a new `Codec` whose tables are frozen at the new step.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.entropy_models.empirical import Frozen, freeze, pseudo_samples
from taskcodec.errors import MismatchError, UsageError, check_kind
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.quantization.uniform import MAX_SYMBOL, Latent, UniformQuantizer, quantize
from taskcodec.samples import as_features
from taskcodec.transforms.companding import compand

SKETCH_SAMPLES = 512
"""How many samples are drawn from a codec's sketch where no data are given."""
CENTRE_WEIGHT = 16.0
"""How many samples the fitted centre counts for when a codec is refitted to other data."""
MIN_ADAPT_SAMPLES = 64
"""Fewer samples than this say too little about their own density: the codec is used as it is."""
_ALIKE = 1e-6
"""Samples that differ by less than this share of the largest value differ by rounding only."""
_RATE_TOLERANCE = 0.003
_MAX_SEARCH = 25


def at_step(codec: Codec, step: float) -> Codec:
    """The codec at another step, its tables frozen from its own sketch. Raises UsageError on a step that is none."""
    _check_codec(codec)
    check_kind("step", step, Real, "a number")
    if not (math.isfinite(step) and step > 0):
        raise UsageError(f"the step must be a positive number, found {step}")
    samples = _sketch_samples(codec)
    check_step(samples, step)
    return _with(codec, freeze(samples, step, uniform_of(codec).rounding))


def at_bits(codec: Codec, bits: float) -> Codec:
    """The codec at the step where data like those it was fitted on take `bits` per sample."""
    _check_codec(codec)
    samples = _sketch_samples(codec)
    quantizer = uniform_of(codec)
    return _with(codec, search_step(samples, bits, quantizer.step, quantizer.rounding)[1])


def adapt(codec: Codec, features: npt.ArrayLike, bits: float | None = None) -> Codec:
    """Refit a codec's centre, tables and points to the data about to be written; the linear map stays.

    Args:
        codec: any codec with an affine transform.
        features: (n, d) a sample of the data, without labels; n >= MIN_ADAPT_SAMPLES, or the centre and the tables
            are left alone: then only a codec that keeps a sketch, one that was not refitted itself, can be re-rated.
        bits: the rate to meet on these data, in bits per sample; None keeps the codec's step.

    The centre moves to the mean of the data (shrunk towards the fitted one), so that the dead zone of each column
    lies where these data are dense. This is forward adaptation: what changed is stored with the data, once. A codec
    with conditional tables is returned as it is.

    Raises:
        MismatchError: features of another dimension, or that hold NaN or infinity.
        UsageError: a rate that cannot be met, or that this codec cannot be set to.
    """
    _check_codec(codec)
    base, transform = codec.base, codec.base.transform.affine
    if bits is None and (base.model.plain is None or len(codec.layers) > 1):
        return codec  # what its tables depend on was trained: there is nothing to count anew
    x = as_features(features)
    if x.ndim != 2 or x.shape[1] != codec.dimension:
        raise MismatchError(f"expected features of shape (n, {codec.dimension}), found {x.shape}")
    if not np.isfinite(x).all():
        raise MismatchError("features hold NaN or infinity")
    if len(x) < MIN_ADAPT_SAMPLES:
        return codec if bits is None else at_bits(codec, bits)
    _check_plain(codec)
    quantizer = uniform_of(codec)
    x = without_outliers(x)
    companded = compand(x, transform.companding)
    weight = CENTRE_WEIGHT / (len(x) + CENTRE_WEIGHT)
    centre = (1 - weight) * companded.mean(axis=0, dtype=np.float64) + weight * transform.centre
    if codec.networks is None:  # a learned latent has its modes where the cells were when it was trained
        transform = replace(transform, centre=centre.astype(np.float32))
        base = replace(base, transform=transform)
    latent = transform.analyse(x)
    prior = pseudo_samples(base.sketch, SKETCH_SAMPLES) if len(base.sketch) else None
    if bits is None:
        frozen = freeze(latent, quantizer.step, quantizer.rounding, prior)
    else:
        frozen = search_step(latent, bits, quantizer.step, quantizer.rounding, prior)[1]
    base = replace(base, quantizer=frozen.quantizer, model=frozen.model, sketch=base.sketch[:0])
    provenance = {**codec.provenance, "adapted_from": codec.fingerprint, "adapted_to_samples": len(x)}
    return codec.with_base(base, provenance=provenance)


def uniform_of(codec: Codec) -> UniformQuantizer:
    """The quantizer of its lowest layer. Raises UsageError where that is another."""
    quantizer = codec.base.quantizer
    if not isinstance(quantizer, UniformQuantizer):
        raise UsageError("this codec's quantizer is dependent: its rate is set where it is fitted (--effort)")
    return quantizer


def _check_codec(codec: Codec) -> None:
    """Raise UsageError on what is none."""
    check_kind("codec", codec, Codec, "a Codec (load_codec reads one)")


def check_step(latent: Latent, step: float, scale: float = 1.0) -> None:
    """Raise UsageError on a step so small that symbols of this latent would be clipped.

    Steps are named to the user in units of the features: `scale` of them are one unit of the latent.
    """
    largest = float(np.abs(latent).max(initial=0.0))
    if largest / step + 1 > MAX_SYMBOL:
        smallest = largest * scale / (MAX_SYMBOL - 1)
        raise UsageError(
            f"a step of {step * scale:.3g} is too small: symbols of these data would leave what can be coded; "
            f"the smallest step is {1.01 * smallest:.3g}"
        )


def check_rate(bits: float) -> None:
    """Raise UsageError on a rate that is none."""
    check_kind("bits", bits, Real, "a number")
    if not (math.isfinite(bits) and bits > 0):
        raise UsageError(f"the rate must be a positive number of bits per sample, found {bits}")


def search_step(
    latent: Latent,
    bits: float,
    start: float,
    rounding: float,
    prior: Latent | None = None,
    frozen_at: Callable[[float], Frozen] | None = None,
) -> tuple[float, Frozen]:
    """The step at which (n, k) samples take `bits` each with tables frozen at that step, and those tables.

    Secant steps in the logarithms of step and rate, kept inside a bracket. The step stays so large that no symbol is
    clipped: where that keeps the rate from being met, it is the smallest such step. `frozen_at` gives the tables at a
    step; without it each column has its own. Raises UsageError where no step gives the rate.
    """
    frozen_at = frozen_at or (lambda step: freeze(latent, step, rounding, prior))
    check_rate(bits)
    target, low, high = math.log(bits), -math.inf, math.inf
    largest = float(np.abs(latent).max(initial=0.0))
    floor = math.log(largest / (MAX_SYMBOL - 2)) if largest > 0 else -math.inf
    point, slope = max(math.log(start), floor), -1.0
    previous: tuple[float, float] | None = None
    closest: tuple[float, float, Frozen] | None = None
    for _ in range(_MAX_SEARCH):
        frozen = frozen_at(math.exp(point))
        rate = float(frozen.model.code_length(quantize(latent, math.exp(point), rounding)).mean())
        error = math.log(max(rate, 1e-9)) - target
        if abs(error) < _RATE_TOLERANCE:
            return math.exp(point), frozen
        if closest is None or abs(error) < closest[0]:
            closest = (abs(error), math.exp(point), frozen)
        if error < 0 and point == floor:
            break
        if error > 0:
            low = point
        else:
            high = point
        if previous is not None and point != previous[0]:
            slope = min((error - previous[1]) / (point - previous[0]), -0.05)
        previous = (point, error)
        point = max(point + float(np.clip(-error / slope, -1.5, 1.5)), floor)
        if not low < point < high:
            point = 0.5 * (low + high)
    if closest is not None and math.isfinite(low) and math.isfinite(high):
        return closest[1:]  # so few samples that the rate jumps over the target: the nearest there is
    if float(np.ptp(latent, axis=0).max(initial=0.0)) <= _ALIKE * float(np.abs(latent).max(initial=1.0)):
        raise UsageError(f"these samples are all alike: there is nothing to spend {bits:g} bits a sample on")
    if point == floor:
        return math.exp(point), frozen
    raise UsageError(
        f"no step gives {bits:g} bits per sample: these data take {rate:.1f} at step {math.exp(point):.3g}"
    )


def _check_plain(codec: Codec) -> None:
    if len(codec.layers) > 1:
        raise UsageError("this codec has several layers: a new rate of one would not fit those above; fit another")
    uniform_of(codec)
    if codec.base.model.plain is None:
        raise UsageError("this codec's tables are conditional: its rate was set when it was trained; train another")


def _sketch_samples(codec: Codec) -> Latent:
    _check_plain(codec)
    if not len(codec.base.sketch):
        origin = str(codec.provenance.get("adapted_from", "unknown"))[:12]
        raise UsageError(
            "this codec was refitted to one store and keeps no density to set a rate by: keep its own rate, give "
            f"{MIN_ADAPT_SAMPLES} samples or more, or take the codec it came from (fingerprint {origin})"
        )
    return pseudo_samples(codec.base.sketch, SKETCH_SAMPLES)


def _with(codec: Codec, frozen: Frozen) -> Codec:
    return codec.with_base(replace(codec.base, quantizer=frozen.quantizer, model=frozen.model))

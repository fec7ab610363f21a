"""The unit of features: fits square them in float32 and keep parts in float16, so they are made near 1."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.companding import CompandingKind

USUAL_EXPONENT = 16
"""Features whose largest is within this power of two of 1 are taken as they are."""
SMALLEST = 1e-35
"""Where the largest feature is below this, float32 has few digits left of it, or none."""


def unit_of(x: npt.NDArray[np.float32]) -> float:
    """The power of four in which the largest of (n, d) features is 4 to 16; 1 where they are in a usual unit.

    A power of two changes no digit; one of four, none of square roots either. Not nearer to 1, or vectors that happen
    to be of one length might come to have the norm 1.

    Raises UsageError where they vary, but all below SMALLEST.
    """
    largest = float(np.abs(x).max(initial=0.0))
    if largest == 0 or 2.0**-USUAL_EXPONENT <= largest <= 2.0**USUAL_EXPONENT:
        return 1.0
    if largest < SMALLEST:
        if (x == x[0]).all():
            return 1.0
        raise UsageError(
            f"features of at most {largest:.3g} in magnitude, which float32 holds with few digits: bring them to a "
            f"sensible unit first (at least {SMALLEST:g})"
        )
    return 4.0 ** (math.frexp(largest)[1] // 2 - 1)


def companded_unit(unit: float, companding: CompandingKind) -> float:
    """What a unit of features is after companding."""
    return math.sqrt(unit) if companding == "sqrt" else unit


def rescaled(transform: AffineTransform, size: float) -> AffineTransform:
    """A latent in another unit; a column that float32 would hold with few digits, or none, falls to symbols of 0."""
    return replace(transform, scale=np.maximum(transform.scale * np.float32(size), np.finfo(np.float32).tiny))


def in_unit(codec: Codec, unit: float) -> Codec:
    """A codec of features in this unit, made one of the features themselves."""
    transform = codec.base.transform.affine
    size = companded_unit(unit, transform.companding)
    scaled = replace(rescaled(transform, size), centre=transform.centre * np.float32(size))
    return codec.with_base(replace(codec.base, transform=scaled))

"""Tables over space of latents in another step than they were trained for, still by integers alone.

    symbols in steps of `factor` --first convolutions, weights times factor--> what they were trained to see
    index  --clipped to 0 as before, less 8 ln(factor)--> index of the scale in the new steps
    mean   --divided by factor--> mean in the new steps

All of it is said by weights, biases and shifts, so that such tables are like any others. One convolution more in each
group shifts indices and divides means: what they were is computed to 1 / 2^FINE first, so that little is rounded twice.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding import SpatialTables
from taskcodec.coding.models.integer_network import MAX_INPUT, Integers
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.group import Checkerboard, SpatialGroup
from taskcodec.entropy_models.gaussian import INDEX_BITS
from taskcodec.errors import CorruptFileError, UsageError

WEIGHT_BITS = 8
"""Weights that are multiplied by a factor are held with so many bits more."""
FINE = 3
"""So are indices and means before they are shifted and divided."""
LAST_BITS = 12
"""Of the weights that divide means."""
MAX_FACTOR = 64.0
"""Steps go from so much smaller to so much larger than the trained one."""


def in_steps(model: SpatialTables, factor: float, below: Sequence[float] = ()) -> SpatialTables:
    """Tables of symbols whose step is `factor` times the one that the model was trained for.

    Args:
        model: as it was trained: it takes one convolution more.
        factor: 1 / MAX_FACTOR to MAX_FACTOR.
        below: the same of each channel of the layers below that the model looks at; none: they are as they were.

    Raises UsageError on other factors, and on tables that have no room for it: they take it a few times.
    """
    factors = np.array([factor, *below], dtype=np.float64)
    if not ((factors >= 1 / MAX_FACTOR) & (factors <= MAX_FACTOR)).all():
        raise UsageError(f"steps can be {1 / MAX_FACTOR:g} to {MAX_FACTOR:g} times the trained one: found {factors}")
    try:
        seen = model.below
        if seen is not None and len(below):
            seen = _reading(seen, factors[1:])
        if factor == 1:
            return replace(model, below=seen)
        side, groups = _reading(model.side, factors[:1]), tuple(_group(group, factor) for group in model.groups)
        return replace(model, side=side, groups=groups, below=seen)
    except CorruptFileError as error:  # sums are no longer exact, or convolutions too many
        raise UsageError(
            f"these tables cannot be put in other steps ({error}): take the codec as it was trained"
        ) from error


def _group(group: SpatialGroup, factor: float) -> SpatialGroup:
    before, mix, context = group.before, group.mix, group.context
    if before is not None:
        before = _reading(before, np.array([factor]))
    if context is not None:
        # Its sums are added to those of `mix` before these are shifted.
        mix = replace(
            mix, weights=mix.weights << WEIGHT_BITS, bias=mix.bias << WEIGHT_BITS, shift=mix.shift + WEIGHT_BITS
        )
        reach = _reach(context.reach, factor)
        context = Checkerboard(_times(context.weights, factor), context.bias << WEIGHT_BITS, reach)
    rest = (*group.rest[:-1], _finer(group.rest[-1], group.columns), _shifted(group, factor))
    return replace(group, before=before, mix=mix, context=context, rest=rest)


def _reading(stack: Stack, factors: npt.NDArray[np.float64]) -> Stack:
    """The stack for inputs in other steps, one for all channels or one for each."""
    first, *others = stack.layers
    first = replace(
        first,
        weights=_times(first.weights, factors),
        bias=first.bias << WEIGHT_BITS,
        shift=first.shift + WEIGHT_BITS,
    )
    return Stack(_reach(stack.reach, float(factors.min())), stack.cap, (first, *others))


def _times(weights: Integers, factors: npt.ArrayLike) -> Integers:
    """Weights, their inputs the last axis, times these."""
    found: Integers = np.rint(weights * np.asarray(factors) * 2.0**WEIGHT_BITS).astype(np.int64)
    return found


def _reach(reach: int, factor: float) -> int:
    """What inputs are clipped to, in steps of `factor`."""
    return min(MAX_INPUT, math.ceil(reach / factor))


def _finer(last: Convolution, m: int) -> Convolution:
    """What gave m indices, or m indices and m means: in units 2^FINE times finer, and negative means as well.

    Between convolutions there is nothing below zero, so means come in two parts; indices are clipped as they were.
    """
    half, finer = (1 << last.shift >> 1), last.shift - FINE
    weights, bias = last.weights, last.bias - half  # what is rounded here is rounded to the nearest
    signed_weights = np.concatenate([weights, -weights[m:]])
    signed_bias = np.concatenate([bias, -bias[m:]]) + (1 << finer >> 1)
    return Convolution(signed_weights, signed_bias, finer)


def _shifted(group: SpatialGroup, factor: float) -> Convolution:
    """From these to indices and means in the new steps."""
    m, one = group.columns, 1 << LAST_BITS
    own = np.eye(m)
    weights, bias = one * own, np.full(m, -math.log(factor) * (1 << INDEX_BITS))
    if group.means:
        mean, none = one / factor * own, np.zeros((m, m))
        weights = np.block([[weights, none, none], [none, mean, -mean]])
        bias = np.concatenate([bias, np.zeros(m)])
    whole = np.rint((bias + 0.5) * (one << FINE)).astype(np.int64)
    return Convolution(np.rint(weights).astype(np.int64)[:, None, None, :], whole, LAST_BITS + FINE)

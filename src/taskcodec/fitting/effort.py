"""Effort: a codec whose symbols are searched for, so that it takes fewer bits for the same error, or errs less.

    latent --search at these tables--> symbols --count--> tables --search--> ...      a few rounds at each step
                                                            step: until the rate, or the error, is the one to meet

Transform and columns stay as they were fitted. Two ways are tried, and the better one is taken: a dependent quantizer,
searched along its trellis, and a uniform one, each symbol by error and bits. The first is by far the better where
columns carry a bit and more each, the second where most numbers are zero (docs/effort.md).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.coding import DependentTables, SharedTables, Tables
from taskcodec.coding.symbol_model import SymbolModel, Symbols
from taskcodec.coding.trellis import Trellis
from taskcodec.entropy_models.empirical import freeze, freeze_dependent, freeze_shared
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.closed_form.fit import ROUNDING
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer, nearest_points, points
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.samples import as_features, spread_rows
from taskcodec.symbol_choice.efforts import EFFORTS
from taskcodec.symbol_choice.rdo import rdo
from taskcodec.symbol_choice.trellis import search

MOST_STATES, MORE_ROUNDS = 256, 8
"""Effort 1 is the uniform quantizer as it was fitted, each more takes twice the states, up to so many; the highest has
them too, and so many rounds."""
SLOPE = 0.33
"""What a bit is worth along a trellis, in squared steps. At high rates the error is about a quarter of a squared step,
and 2 ln 2 times that is the slope of R(D); measured from .5 to 3 bits a column, bits at equal error are the fewest
between .3 and .5 by the error that codecs look at, and by that of features between .25 and .4: more silences trailing
columns."""
OWN_SLOPE = 0.1
"""The same of a uniform quantizer, in its steps: at high rates the error is a twelfth. .05 and .15 take up to 1 %
more bits where most numbers are zero."""
FINER, OWN_FINER = 0.55, 0.85
"""About these shares of the fitted step are the steps of the same error, of a dependent quantizer and a uniform one."""
ROUNDS = 2
"""Searches and counts at each step, from the tables of the step before."""
LEAST_SAMPLES = 64
"""Fewer samples than these say too little about tables of another kind: the codec stays as it is."""
MOST_SAMPLES = 8192
TOLERANCE, MOST_STEPS = 0.003, 12
SAME_RATE = 0.03
"""Rates this near to each other can be held against each other by their errors."""


@dataclass(frozen=True, eq=False)
class _Tried:
    """A layer's quantizer and tables, and what they give: bits and squared error a sample."""

    layer: Layer
    bits: float
    error: float


_Way: TypeAlias = Callable[[float, _Tried | None], _Tried]
"""Of a step, and of what was tried at one near it: what that step gives."""


def with_effort(codec: Codec, features: npt.ArrayLike, effort: int, bits: float | None = None) -> Codec:
    """The codec for an effort of 1 to 9, its quantizer and tables fitted to features; its transform stays.

    Args:
        codec: of one layer, with plain tables or a dependent quantizer; for effort 1 it is returned as it is.
        features: (n, d) samples like those that it will code; of fewer than LEAST_SAMPLES it is returned as it is.
        effort: from 2 on 4, 8, ... 256 states; 9 has 256, and more rounds.
        bits: the rate to meet on these features, in bits a sample; without it the squared error of the codec's own
            quantizer is met. Where that takes no fewer bits, or errs no less at the same rate, it is returned as it is.

    Raises:
        UsageError: conditional tables, or several layers.
        MismatchError: features of another dimension.
    """
    if effort == 1:
        return codec
    check_plain(codec)
    base, x = codec.base, as_features(features)
    if x.ndim != 2 or x.shape[1] != codec.dimension:
        raise MismatchError(f"expected features of shape (n, {codec.dimension}), found {x.shape}")
    x = without_outliers(x)
    if len(x) < LEAST_SAMPLES:
        return codec
    x = x[spread_rows(len(x), min(len(x), MOST_SAMPLES))]
    latent, symbols = base.transform.of_features.analyse(x, None), codec.encode_features(x)
    own = _Tried(base, _bits(base.model, symbols), _error_of_others(base, latent, symbols))
    if not (own.error > 0 and own.bits > 0):
        return codec  # nothing varies
    found = _better(_ways(base, latent, effort), own, bits)
    if found.bits >= own.bits if bits is None else _same_rate(own.bits, bits) and found.error >= own.error:
        return codec
    return codec.with_base(replace(found.layer, sketch=base.sketch[:0]))


def check_plain(codec: Codec) -> None:
    """Raise UsageError where a codec's tables are not such as can be counted anew."""
    if len(codec.layers) > 1:
        raise UsageError("--effort: this codec has several layers; those above would not fit another base")
    if not isinstance(codec.base.model, Tables | SharedTables | DependentTables):
        raise UsageError("--effort: this codec's tables follow from other symbols, and cannot be counted anew")


def _ways(base: Layer, latent: Floats, effort: int) -> list[tuple[_Way, float]]:
    """What is tried for a layer, each with the step to begin at."""
    rounds = MORE_ROUNDS if effort == EFFORTS[-1] else ROUNDS
    trellis = partial(_along, base, latent, Trellis(min(2**effort, MOST_STATES)), rounds)
    step = base.quantizer.step / (FINER if isinstance(base.quantizer, DependentQuantizer) else 1.0)
    return [(partial(_one_by_one, base, latent, rounds), OWN_FINER * step), (trellis, FINER * step)]


def _better(ways: list[tuple[_Way, float]], own: _Tried, bits: float | None) -> _Tried:
    """What takes the fewest bits at the own error, or errs least at this rate."""
    if bits is None:
        found = [_search(way, start, lambda tried: math.log(tried.error / own.error)) for way, start in ways]
        return min(found, key=lambda tried: tried.bits)
    found = [_search(way, start, lambda tried: math.log(bits / tried.bits)) for way, start in ways]
    return min(found, key=lambda tried: tried.error)


def _same_rate(bits: float, other: float) -> bool:
    return abs(math.log(bits / other)) < SAME_RATE


def _along(base: Layer, latent: Floats, trellis: Trellis, rounds: int, step: float, before: _Tried | None) -> _Tried:
    """A dependent quantizer of this step, with tables for (n, k) samples of the latent."""
    z, sharing = latent / np.float32(step), base.model.sharing
    if before is not None and isinstance(before.layer.model, DependentTables):
        model = before.layer.model
    else:
        either = [np.full(z.shape, number, np.uint8) for number in (0, 1)]
        nearest = np.concatenate([nearest_points(z, second) for second in either])
        model = freeze_dependent(nearest, np.concatenate(either), trellis, sharing)
    symbols = search(z, model, SLOPE)
    for _ in range(rounds):
        model = freeze_dependent(symbols, trellis.along(symbols), trellis, sharing)
        symbols = search(z, model, SLOPE)
    error = _squares(points(symbols, trellis.along(symbols)) - z)
    layer = replace(base, quantizer=DependentQuantizer(step, SLOPE, trellis, z.shape[1]), model=model)
    return _Tried(layer, _bits(model, symbols), step**2 * error)


def _one_by_one(base: Layer, latent: Floats, rounds: int, step: float, before: _Tried | None) -> _Tried:
    """A uniform quantizer of this step, with tables for (n, k) samples of the latent."""
    rounding = base.quantizer.rounding if isinstance(base.quantizer, UniformQuantizer) else ROUNDING
    layer, symbols = base, None
    for _ in range(rounds + 1):
        if base.model.sharing is None:
            frozen = freeze(latent, step, rounding, chosen=symbols)
        else:
            frozen = freeze_shared(latent, step, rounding, symbols)
        layer = replace(base, quantizer=replace(frozen.quantizer, slope=OWN_SLOPE), model=frozen.model)
        symbols = rdo(layer, latent)
    assert symbols is not None
    return _Tried(layer, _bits(layer.model, symbols), _error_of_others(layer, latent, symbols))


def _bits(model: SymbolModel, symbols: Symbols) -> float:
    return float(model.code_length(symbols).mean())


def _error_of_others(base: Layer, latent: Floats, symbols: Symbols) -> float:
    """The squared error of samples like (n, k) ones of the latent, that were chosen these symbols.

    Points that were fitted to these samples, each to few, look better on them than on others. Those of each half are
    measured on the other; chance weighs twice on them there, so that of the way from the one error to the other two
    thirds are gone.
    """
    quantizer = base.quantizer
    own = _squares(quantizer.dequantize(symbols) - latent)
    if not isinstance(quantizer, UniformQuantizer) or base.model.sharing is not None:
        return own
    if not quantizer.points.any():
        return own
    halves = [(latent[start::2], symbols[start::2]) for start in (0, 1)]
    fitted = [
        freeze(half, quantizer.step, quantizer.rounding, chosen=chosen).quantizer for half, chosen in reversed(halves)
    ]
    errors = [_squares(other.dequantize(chosen) - half) for (half, chosen), other in zip(halves, fitted, strict=True)]
    return own + 2 / 3 * (sum(errors) / 2 - own)


def _squares(error: Floats) -> float:
    """The sum over columns of (n, k) squares, in the mean over samples."""
    return float(np.square(error, dtype=np.float64).sum(axis=1).mean())


def _search(way: _Way, start: float, excess: Callable[[_Tried], float]) -> _Tried:
    """The step at which `excess`, which grows with it, is 0; secant steps in its logarithm, kept inside a bracket."""
    point, slope, low, high = math.log(start), 2.0, -math.inf, math.inf
    previous: tuple[float, float] | None = None
    closest: tuple[float, _Tried] | None = None
    for _ in range(MOST_STEPS):
        tried = way(math.exp(point), None if closest is None else closest[1])
        over = excess(tried)
        if closest is None or abs(over) < closest[0]:
            closest = abs(over), tried
        if closest[0] < TOLERANCE:
            break
        low, high = (low, point) if over > 0 else (point, high)
        if previous is not None:
            slope = max((over - previous[1]) / (point - previous[0]), 0.05)
        previous = point, over
        point -= float(np.clip(over / slope, -1.0, 1.0))
        if not low < point < high:
            point = 0.5 * (low + high)
    assert closest is not None
    return closest[1]

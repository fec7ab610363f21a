"""A codec with a dependent quantizer in the place of its uniform one: time when encoding buys bits.

    latent --search at these tables--> symbols --count--> tables --search--> ...      a few rounds at each step
                                                            step: until the rate, or the error, is the one to meet

Transform and columns stay as they were fitted; a quantizer of more states takes longer to search and fewer bits at the
same error (`taskcodec.quantization.dependent`, docs/effort.md).
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
from taskcodec.entropy_models.empirical import freeze, freeze_dependent
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer, nearest_points, points
from taskcodec.samples import as_features, spread_rows
from taskcodec.symbol_choice.trellis import search

SLOPE = 0.33
"""What a bit is worth in squared steps. At high rates the error is about a quarter of a squared step, and 2 ln 2 times
that is the slope of R(D); measured from .5 to 3 bits a column, bits at equal error are the fewest between .3 and
.5 by the error that codecs look at, and by that of features between .25 and .4: more silences trailing columns."""
FINER = 0.55
"""About this share of a uniform step is the step of the same error."""
ROUNDS = 2
"""Searches and counts at each step, from the tables of the step before."""
EFFORTS = range(1, 10)
"""What may be asked for: 1 is the uniform quantizer, each more takes twice the states, up to ..."""
MOST_STATES, MORE_ROUNDS = 256, 8
"""... so many; the highest has them too, and so many rounds."""
LEAST_SAMPLES = 64
"""Fewer samples than these say too little about a second quantizer: the codec stays as it is."""
MOST_SAMPLES = 8192
TOLERANCE, MOST_STEPS = 0.003, 12


@dataclass(frozen=True, eq=False)
class _Tried:
    """Tables at a step, and what they give: bits and squared error a sample."""

    step: float
    model: DependentTables
    bits: float
    error: float


_Trained: TypeAlias = Callable[[float, DependentTables | None], _Tried]


def with_effort(codec: Codec, features: npt.ArrayLike, effort: int, bits: float | None = None) -> Codec:
    """The codec for an effort of 1 to 9: its own for 1, else as `with_trellis` gives it."""
    if effort == 1:
        return codec
    states = min(2**effort, MOST_STATES)
    return with_trellis(codec, features, states, bits, MORE_ROUNDS if effort == EFFORTS[-1] else ROUNDS)


def with_trellis(
    codec: Codec, features: npt.ArrayLike, states: int, bits: float | None = None, rounds: int = ROUNDS
) -> Codec:
    """The codec with a quantizer of so many states, and tables, fitted to features; its transform stays.

    Args:
        codec: of one layer, with plain tables or a dependent quantizer.
        features: (n, d) samples like those that it will code; of fewer than LEAST_SAMPLES it is returned as it is.
        states: 4, 8, ... 256.
        bits: the rate to meet on these features, in bits a sample; without it the squared error of the codec's own
            quantizer is met, in fewer bits.
        rounds: of searches and counts, at each step that is tried.

    Raises:
        UsageError: conditional tables, or several layers.
        MismatchError: features of another dimension.
    """
    check_plain(codec)
    base, x = codec.base, as_features(features)
    if x.ndim != 2 or x.shape[1] != codec.dimension:
        raise MismatchError(f"expected features of shape (n, {codec.dimension}), found {x.shape}")
    x = without_outliers(x)
    if len(x) < LEAST_SAMPLES:
        return codec
    x = x[spread_rows(len(x), min(len(x), MOST_SAMPLES))]
    latent = base.transform.of_features.analyse(x, None)
    symbols = codec.encode_features(x)
    error = _error_of_others(base, latent, symbols)
    taken = _bits(base.model, symbols)
    if not (error > 0 and taken > 0):
        return codec  # nothing varies
    step = base.quantizer.step
    fine = step if isinstance(base.quantizer, DependentQuantizer) else FINER * step
    at = partial(_trained, latent, Trellis(states), base.model.sharing, rounds)
    if bits is None:
        found = _search(at, fine, lambda tried: math.log(tried.error / error))
        if found.bits >= taken:
            return codec
    else:
        found = _search(at, fine, lambda tried: math.log(bits / tried.bits))
    quantizer = DependentQuantizer(found.step, SLOPE, Trellis(states), latent.shape[1])
    return codec.with_base(replace(base, quantizer=quantizer, model=found.model, sketch=base.sketch[:0]))


def check_plain(codec: Codec) -> None:
    """Raise UsageError where a codec's tables are not such as can be counted anew."""
    if len(codec.layers) > 1:
        raise UsageError("--effort: this codec has several layers; those above would not fit another base")
    if not isinstance(codec.base.model, Tables | SharedTables | DependentTables):
        raise UsageError("--effort: this codec's tables follow from other symbols, and cannot be counted anew")


def _trained(
    latent: Floats,
    trellis: Trellis,
    sharing: Symbols | None,
    rounds: int,
    step: float,
    model: DependentTables | None,
) -> _Tried:
    """Tables for (n, k) samples of the latent at a step, from those at a step near it or from the nearest points."""
    z = latent / np.float32(step)
    if model is None:
        either = [np.full(z.shape, number, np.uint8) for number in (0, 1)]
        nearest = np.concatenate([nearest_points(z, second) for second in either])
        model = freeze_dependent(nearest, np.concatenate(either), trellis, sharing)
    symbols = search(z, model, SLOPE)
    for _ in range(rounds):
        model = freeze_dependent(symbols, trellis.along(symbols), trellis, sharing)
        symbols = search(z, model, SLOPE)
    error = _squares(points(symbols, trellis.along(symbols)) - z)
    return _Tried(step, model, _bits(model, symbols), step**2 * error)


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
    if isinstance(quantizer, DependentQuantizer) or base.model.sharing is not None or not quantizer.points.any():
        return own
    halves = latent[::2], latent[1::2]
    fitted = [freeze(half, quantizer.step, quantizer.rounding).quantizer for half in reversed(halves)]
    errors = [
        _squares(other.dequantize(other.quantize(half)) - half) for half, other in zip(halves, fitted, strict=True)
    ]
    return own + 2 / 3 * (sum(errors) / 2 - own)


def _squares(error: Floats) -> float:
    """The sum over columns of (n, k) squares, in the mean over samples."""
    return float(np.square(error, dtype=np.float64).sum(axis=1).mean())


def _search(at: _Trained, start: float, excess: Callable[[_Tried], float]) -> _Tried:
    """The step at which `excess`, which grows with it, is 0; secant steps in its logarithm, kept inside a bracket."""
    point, slope, low, high = math.log(start), 2.0, -math.inf, math.inf
    previous: tuple[float, float] | None = None
    closest: tuple[float, _Tried] | None = None
    for _ in range(MOST_STEPS):
        tried = at(math.exp(point), None if closest is None else closest[1].model)
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

"""The symbols of dependent quantization that cost least, by Viterbi's algorithm: squared error + slope * bits.

    latent (n, k) --candidates--> 4 a column: even and odd, of either quantizer --best path from state 0--> symbols

Along a sample the state after a column follows from the state before and the parity of its symbol, so of all symbols
of one quantizer and one parity only one is worth looking at: the nearest, or zero where that is cheaper (as encoders of
H.266 do). Sums are of 32-bit floats, element by element, and bits are rounded to 1/1024 before: the same latent gives
the same symbols on every machine, whatever else is in the batch.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.dependent import DependentTables
from taskcodec.coding.models.tables import ESCAPE_BITS, TABLE_BITS
from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.coding.trellis import Trellis
from taskcodec.errors import UsageError
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import MAX_SYMBOL

EXACT = np.float32(1024)
"""Bits are rounded to so many parts."""
WHOLE, PATHS, LEAST = 2**17, 2**16, 32
"""Numbers of a latent, and states of all its rows, that are looked at together; rows at least."""
SHIFTS = np.array([0, 2, -1, 1], np.float32)
"""Where the points nearest to 0 lie, of even and odd symbols of the first quantizer, then of the second; the others
follow in steps of four."""


def trellis(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols; `Choose` of `taskcodec.layer`. Raises UsageError on another quantizer."""
    quantizer, model = layer.quantizer, layer.model
    if not isinstance(quantizer, DependentQuantizer) or not isinstance(model, DependentTables):
        raise UsageError(f"layer {layer.name}: symbols are chosen along a trellis where its quantizer is dependent")
    return search(latent / np.float32(quantizer.step), model, quantizer.slope)


def search(latent: Floats, model: DependentTables, slope: float) -> Symbols:
    """(n, k) latent in steps -> (n, k) symbols, at `slope` squared steps a bit."""
    n, k = latent.shape
    symbols, rates = np.empty((n, k), np.int32), _rates_of(model)
    rows = max(LEAST, min(WHOLE // max(k, 1), PATHS // model.trellis.states))
    for start in range(0, n, rows):
        block = np.ascontiguousarray(latent[start : start + rows].T)
        candidates, costs = _candidates(block, rates, np.float32(slope))
        symbols[start : start + rows] = _best_path(candidates, costs, model.trellis).T
    return symbols


@dataclass(frozen=True, eq=False)
class _Rates:
    """Bits of symbols: of each of 2 k tables those of its run, between two of its escape.

    Attributes:
        bits: (sum of all sizes + 4 k,) in the order of the tables.
        starts: (2, k, 1) where each begins.
        below: (k, 1) the symbol just below the run; `above`: the place just above it.
        zero: (2, k, 1) of symbol 0.
    """

    bits: Floats
    starts: npt.NDArray[np.int64]
    below: Symbols
    above: Symbols
    zero: Floats


@lru_cache(maxsize=8)
def _rates_of(model: DependentTables) -> _Rates:
    bank, k = model.choices, model.columns
    plain = np.rint((TABLE_BITS - np.log2(bank.counts)) * EXACT).astype(np.float32) / EXACT
    ends = bank.starts[1:] - 1
    plain[ends] += ESCAPE_BITS
    bits = np.insert(plain, bank.starts[:-1], plain[ends])
    starts = (bank.starts[:-1] + np.arange(2 * k)).reshape(2, k, 1)
    below, above = bank.first[:k, None] - 1, bank.sizes[:k, None] + 1
    return _Rates(bits, starts, below, above, bits[starts - below])


def _candidates(latent: Floats, rates: _Rates, slope: np.float32) -> tuple[Symbols, Floats]:
    """(k, n) latent in steps -> the symbols that may be chosen (4, k, n), and what each costs."""
    magnitude = np.minimum(np.abs(latent), np.float32(2 * MAX_SYMBOL - 4))
    symbols, costs = np.empty((4, *latent.shape), np.int32), np.empty((4, *latent.shape), np.float32)
    for number, shift in enumerate(SHIFTS):
        second, odd = number >> 1, number & 1
        found = np.rint((magnitude - shift) * np.float32(0.25))
        error = np.abs(found * np.float32(4) + shift) - magnitude  # the point of even symbol 0 of the second: 1, not -1
        if number == 2:
            error = np.where(found == 0, -magnitude, error)
        symbols[number] = np.copysign(2 * found + np.float32(odd), latent)
        place = np.clip(symbols[number] - rates.below, 0, rates.above) + rates.starts[second]
        costs[number] = error * error + slope * rates.bits[place]
        if not odd:
            silent = magnitude * magnitude + slope * rates.zero[second]
            symbols[number][silent < costs[number]] = 0
            np.minimum(costs[number], silent, out=costs[number])
    return symbols, costs


def _best_path(symbols: Symbols, costs: Floats, machine: Trellis) -> Symbols:
    """Of candidates (4, k, n) those along the path (k, n) from state 0 that costs least."""
    _, k, n = costs.shape
    state = np.arange(machine.states)
    # Two paths lead to each state: from which, and by which candidate.
    order = np.argsort(machine.following, kind="stable").reshape(-1, 2).T
    before, taken = order >> 1, 2 * ((order >> 1) & 1) + (order & 1)
    least = np.where(state[:, None] == 0, np.float32(0), np.float32(np.inf)) + np.zeros(n, np.float32)
    later = np.empty((k, machine.states, n), bool)
    one, other, added = np.empty_like(least), np.empty_like(least), np.empty_like(least)
    for j in range(k):
        for path, (origin, candidate) in zip((one, other), zip(before, taken, strict=True), strict=True):
            np.take(least, origin, axis=0, out=path, mode="clip")
            np.take(costs[:, j], candidate, axis=0, out=added, mode="clip")
            path += added
        np.less(other, one, out=later[j])
        np.minimum(one, other, out=least)
    rows = np.arange(n)
    reached, found = least.argmin(axis=0), np.empty((k, n), np.int32)
    for j in range(k - 1, -1, -1):
        which = later[j, reached, rows].astype(np.intp)
        found[j] = symbols[taken[which, reached], j, rows]
        reached = before[which, reached]
    return found

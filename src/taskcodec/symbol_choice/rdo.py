"""Rate-distortion-optimised quantization: each symbol on its own, by squared error + slope * bits under its table.

The symbols that are looked at are the nearest, the next one towards zero, and zero: a larger one costs more, and errs
more. Bits are rounded to 1/1024, so that the same latent gives the same symbols on every machine.
"""

import numpy as np

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.errors import UsageError
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.uniform import UniformQuantizer, quantize

EXACT = 1024.0
"""Bits are rounded to so many parts."""
WHOLE = 2**20
"""Numbers of a latent that are looked at together."""


def rdo(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols, at the slope of the layer's quantizer; `Choose` of `taskcodec.layer`.

    Raises UsageError where what a symbol costs depends on others.
    """
    if not isinstance(layer.quantizer, UniformQuantizer) or layer.model.plain is None:
        raise UsageError(f"layer {layer.name}: symbols are chosen one by one where each column has one table")
    symbols, rows = np.empty(latent.shape, np.int32), max(1, WHOLE // max(latent.shape[1], 1))
    for start in range(0, len(latent), rows):
        block = latent[start : start + rows]
        nearest = quantize(block, layer.quantizer.step, 0.5)
        best, least = nearest, _costs(layer, layer.quantizer, block, nearest)
        for other in (nearest - np.sign(nearest), np.zeros_like(nearest)):
            cost = _costs(layer, layer.quantizer, block, other)
            best = np.where(cost < least, other, best)
            least = np.minimum(cost, least)
        symbols[start : start + rows] = best
    return symbols


def _costs(layer: Layer, quantizer: UniformQuantizer, latent: Floats, symbols: Symbols) -> Floats:
    """(n, k) what each of these symbols costs, in squared steps."""
    error = (quantizer.dequantize(symbols) - latent) / np.float32(quantizer.step)
    bits = (np.rint(layer.model.costs(symbols) * EXACT) / EXACT).astype(np.float32)
    return np.asarray(error * error + np.float32(quantizer.slope) * bits, dtype=np.float32)

"""Nearest: each number of the latent on its own, whatever it costs."""

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.layer import Floats, Layer


def nearest(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols, as the layer's own quantizer has them; `Choose` of `taskcodec.layer`."""
    return layer.quantizer.quantize(latent)

"""Usual: what the layer's own quantizer asks for."""

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.symbol_choice.trellis import trellis


def usual(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols: along the trellis of a dependent quantizer, else the nearest; `Choose`."""
    choose = trellis if isinstance(layer.quantizer, DependentQuantizer) else nearest
    return choose(layer, latent, given)

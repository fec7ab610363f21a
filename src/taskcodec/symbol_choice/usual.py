"""Usual: what the layer's own quantizer asks for."""

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.symbol_choice.rdo import rdo
from taskcodec.symbol_choice.trellis import trellis


def usual(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols: by error and bits where the quantizer has a slope, else the nearest."""
    if isinstance(layer.quantizer, DependentQuantizer):
        return trellis(layer, latent, given)
    return (rdo if layer.quantizer.slope else nearest)(layer, latent, given)

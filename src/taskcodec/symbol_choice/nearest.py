"""Nearest: each number of the latent on its own, whatever it costs; of a dependent quantizer each sample."""

from dataclasses import replace

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.layer import Floats, Layer
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.symbol_choice.trellis import trellis


def nearest(layer: Layer, latent: Floats, given: Given = ()) -> Symbols:
    """(n, k) latent -> (n, k) symbols, as the layer's own quantizer has them; `Choose` of `taskcodec.layer`."""
    if isinstance(layer.quantizer, DependentQuantizer):
        return trellis(replace(layer, quantizer=replace(layer.quantizer, slope=0.0)), latent, given)
    assert isinstance(layer.quantizer, UniformQuantizer)
    return layer.quantizer.quantize(latent)

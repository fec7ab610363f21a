"""A codec of pictures at other rates: each layer's latent in other steps, and its tables in them, without training.

    bits a layer --search, on some pictures--> factor of its step --integers--> the same codec in other steps

What is known of a latent that was trained for one step says what it is in another; networks are as they were. So one
codec serves several qualities, near the rate that it was trained for: docs/pictures.md says how near.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import SpatialTables
from taskcodec.coding.picture import OVERHEAD_BITS, Size, write_size
from taskcodec.coding.symbol_model import Symbols
from taskcodec.coding.varint import write_varints
from taskcodec.entropy_models.over_space.other_step import in_steps
from taskcodec.errors import UsageError
from taskcodec.layer import Floats, Layer, given_of
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.stack.pictures import Pixels, transform_of
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.transforms.overfitted.transform import OverfittedTransform

LARGEST_FACTOR = 16.0
"""Beyond, and below one over it, nothing of what was trained is left."""
TOLERANCE = 0.003
"""Of the rate."""
MOST_TRIES = 20


def at_steps(codec: Codec, factors: Mapping[str, float]) -> Codec:
    """The codec with the steps of these layers times these factors. Raises UsageError on layers that cannot have it."""
    _check_names(codec, factors)
    layers = list[Layer]()
    for layer in codec.layers:
        layers.append(_stepped(layer, factors, layers))
    return _of(codec, layers, factors)


def at_rates(codec: Codec, pictures: Sequence[Pixels], rates: Mapping[str, float]) -> Codec:
    """The codec in steps in which these layers of pictures like these take so many bits each, in the mean.

    Args:
        codec: with its analyses, as it was trained.
        pictures: (H, W, 3) uint8 each, at least one.
        rates: bits a picture by layer, as they lie in a store; layers that are not named keep their step.

    Raises:
        UsageError: a layer whose step is fixed, or a rate beyond what its steps reach.
    """
    _check_names(codec, rates)
    known = [_Known(pixels) for pixels in pictures]
    layers, factors = list[Layer](), dict[str, float]()
    for layer in codec.layers:
        latents = [transform_of(layer).analyse(one.x) for one in known]

        def rate(factor: float, layer: Layer = layer, latents: Sequence[Floats] = latents) -> float:
            own = _stepped(layer, {**factors, layer.name: factor}, layers)
            return float(np.mean([one.bits(own, y) for one, y in zip(known, latents, strict=True)]))

        if layer.name in rates:
            factors[layer.name] = _search(rate, rates[layer.name], layer.name)
        layers.append(_stepped(layer, factors, layers))
        for one, y in zip(known, latents, strict=True):
            one.symbols[layer.name] = nearest(layers[-1], y, ())
    return _of(codec, layers, factors)


@dataclass(frozen=True, eq=False)
class _Known:
    """A picture, and the symbols of its layers so far."""

    pixels: Pixels
    symbols: dict[str, Symbols]

    def __init__(self, pixels: Pixels) -> None:
        object.__setattr__(self, "pixels", pixels)
        object.__setattr__(self, "symbols", {})

    @property
    def x(self) -> Floats:
        """(1, 3, H, W) in [0, 1]."""
        return np.moveaxis(self.pixels, 2, 0)[None].astype(np.float32) / np.float32(255)

    def bits(self, layer: Layer, latent: Floats) -> float:
        """What a layer's item takes in a store."""
        size: Size = (self.pixels.shape[0], self.pixels.shape[1])
        given = given_of(layer, self.symbols)
        coded = float(layer.model.code_length(nearest(layer, latent, given), given)[0])
        whole = (coded + OVERHEAD_BITS) / 8 + len(write_size(size))
        return 8 * (whole + len(write_varints(np.array([round(whole)], np.uint64))))


def _stepped(layer: Layer, factors: Mapping[str, float], below: Sequence[Layer]) -> Layer:
    """A layer in its steps, on layers below that are in theirs already. Raises UsageError where its step is fixed."""
    own = factors.get(layer.name, 1.0)
    columns = {each.name: transform_of(each).columns for each in below}
    seen = [factors.get(name, 1.0) for name in layer.given for _ in range(columns[name])]
    if own == 1 and (not layer.model.given_columns or set(seen) <= {1.0}):
        return layer
    means = transform_of(layer).networks.means is not None
    if means or not isinstance(layer.model, SpatialTables) or not isinstance(layer.quantizer, UniformQuantizer):
        why = "means from outside its coder" if means else "tables that follow from no network"
        raise UsageError(
            f"layer {layer.name} has {why}: its rate, and that of layers that it is given, was set in training"
        )
    model = in_steps(layer.model, own, seen if layer.model.given_columns else ())
    return replace(layer, model=model, quantizer=replace(layer.quantizer, step=layer.quantizer.step * own))


def _search(rate_at: Callable[[float], float], bits: float, name: str) -> float:
    """The factor at which a layer takes so many bits: secants in logarithms, inside a bracket."""
    low, high = -math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR)
    point, slope, last = 0.0, -1.0, (0.0, 0.0)
    for number in range(MOST_TRIES):
        rate = rate_at(math.exp(point))
        error = math.log(rate / bits)
        if abs(error) < TOLERANCE:
            return math.exp(point)
        if abs(point) == math.log(LARGEST_FACTOR) and (error > 0) == (point > 0):
            least = "least" if error > 0 else "most"
            raise UsageError(
                f"--bits {name}={bits:g}: the {least} that this codec reaches here is {rate:.0f} bits a sample"
            )
        low, high = (point, high) if error > 0 else (low, point)
        if number:
            slope = min((error - last[1]) / (point - last[0]), -0.1)
        last, point = (point, error), min(max(point - error / slope, low), high)
        if point in (last[0], low, high) and abs(point) != math.log(LARGEST_FACTOR):
            point = 0.5 * (low + high)
    return math.exp(point)


def _check_names(codec: Codec, given: Mapping[str, float]) -> None:
    names = [layer.name for layer in codec.layers]
    for name in given:
        if name not in names:
            raise UsageError(f"{name} is no layer of this codec: {', '.join(names)}")
    for layer in codec.layers:
        if isinstance(layer.transform, OverfittedTransform):
            raise UsageError(f"layer {layer.name} is overfitted: its rate follows from its beta: train another codec")


def _of(codec: Codec, layers: Sequence[Layer], factors: Mapping[str, float]) -> Codec:
    record = {**codec.provenance, "steps_from": codec.fingerprint, "steps": dict(factors)}
    return replace(codec, layers=tuple(layers), provenance=record)

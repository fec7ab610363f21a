"""What tables over space cost to decode by: multiplications with addition of their integer networks."""

from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.tables import SpatialTables


def macs_per_place(model: SpatialTables) -> float:
    """For each place of the latent, in the mean of a large one; side information is computed by encoders alone."""
    total = _stack(model.hyper, 0.25 ** sum(layer.grow == 2 for layer in model.hyper.layers))
    total += 0.0 if model.below is None else _stack(model.below)
    for group in model.groups:
        total += 0.0 if group.before is None else _stack(group.before)
        total += sum(_taps(layer) for layer in (group.mix, *group.rest))
        total += 0.0 if group.context is None else group.context.weights.size / 2  # anchors have none
    return total


def _taps(layer: Convolution) -> int:
    """Of each place that it reads."""
    return int(layer.weights.size)


def _stack(stack: Stack, places: float = 1.0) -> float:
    """Of convolutions that begin at so many places for each of the latent."""
    total = 0.0
    for layer in stack.layers:
        total += places * _taps(layer) / layer.stride**2
        places *= (layer.grow / layer.stride) ** 2
    return total

"""What it costs to decode a picture: multiplications with addition for each of its pixels. Needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from taskcodec.coding.models.spatial.cost import macs_per_place
from taskcodec.coding.models.spatial.tables import SpatialTables
from taskcodec.layer import Layer, needed_of
from taskcodec.stack.outside import unpacked_means
from taskcodec.stack.pictures import learned
from taskcodec.transforms.networks.carried import Network
from taskcodec.transforms.networks.cost import SIDE, macs_per_pixel
from taskcodec.transforms.overfitted.transform import OverfittedTransform


@dataclass(frozen=True)
class DecodingCost:
    """Multiplications with addition a pixel, in the mean of a large picture.

    Attributes:
        synthesis: of g_s of the layer that is decoded.
        entropy: of the networks that choose tables, and shift means, of it and of the layers that it needs.
        realism: of its second synthesis, which runs besides where realism is asked for; 0 where it has none.
    """

    synthesis: float
    entropy: float
    realism: float = 0.0

    @property
    def total(self) -> float:
        """All of it, where no realism is asked for."""
        return self.synthesis + self.entropy


def decoding_cost(layers: Sequence[Layer], upto: str | None = None) -> DecodingCost:
    """Of a layer of a codec of pictures, or of the highest. Raises UsageError on another name."""
    needed = needed_of(layers, upto)
    if isinstance(own := needed[-1].transform, OverfittedTransform):
        return DecodingCost(own.plan.synthesis_macs, sum(map(_entropy, needed)))
    transform = learned(needed[-1])
    synthesis, *real = (macs_per_pixel(each.name, each.sizes) for each in (transform.g_s, transform.real) if each)
    return DecodingCost(synthesis, sum(map(_entropy, needed)), *real)


def _entropy(layer: Layer) -> float:
    if isinstance(layer.transform, OverfittedTransform):
        return layer.transform.plan.context_macs
    transform = learned(layer)
    found = macs_per_place(layer.model) if isinstance(layer.model, SpatialTables) else 0.0
    if transform.networks.means is not None:
        found += _of_means(transform.networks.means)
    return found / transform.stride**2


def _of_means(network: Network) -> float:
    """For each place, of a float network outside the entropy coder."""
    means = unpacked_means(network)
    columns, given = sum(network.sizes["groups"]), network.sizes["given"]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        means.restore(torch.zeros(1, columns, SIDE, SIDE), [torch.zeros(1, each, SIDE, SIDE) for each in given])
    return float(counter.get_total_flops() / 2 / SIDE**2)

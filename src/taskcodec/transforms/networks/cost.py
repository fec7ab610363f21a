"""What a network of pictures costs to run, without running it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from taskcodec.transforms.networks.build import make
from taskcodec.transforms.networks.carried import GRAIN, PICTURE_SYNTHESES

SIDE = 16
"""Places of a latent along a side, on which it is counted; the count a pixel is the same for every size."""


def macs_per_pixel(name: str, sizes: Mapping[str, Any]) -> float:
    """Multiplications with addition for each pixel of the picture, of all convolutions.

    Args:
        name: an architecture of pictures.
        sizes: its own.

    Raises:
        UsageError: sizes that are none.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network: Any = make(name, sizes)
        side = SIDE * network.stride
        if name == GRAIN:
            given = [torch.zeros(1, each, SIDE, SIDE) for each in sizes["given"]]
            network(torch.zeros(1, network.inputs - sum(sizes["given"]), SIDE, SIDE), given)
        else:
            network(torch.zeros(1, *((network.inputs, SIDE, SIDE) if name in PICTURE_SYNTHESES else (3, side, side))))
    return float(counter.get_total_flops() / 2 / side**2)

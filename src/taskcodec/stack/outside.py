"""Means from outside the entropy coder: a layer's float network, that only shifts what its symbols stand for.

    y / step, symbols below --means--> symbols          symbols, symbols below --means--> y_hat / step

See `taskcodec.entropy_models.over_space.outside_means`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.entropy_models.over_space.outside_means import OutsideMeans
from taskcodec.errors import UsageError
from taskcodec.layer import Floats
from taskcodec.quantization.uniform import MAX_SYMBOL
from taskcodec.transforms.networks.build import pack, unpack
from taskcodec.transforms.networks.carried import OUTSIDE_MEANS, Network, check_size

SIZES = ("groups", "width", "checkerboard", "given")


def packed_means(means: OutsideMeans, sizes: Mapping[str, Any]) -> Network:
    """Trained means as data. sizes: `groups`, `width`, `checkerboard` and `given` (a list, perhaps empty)."""
    return pack(OUTSIDE_MEANS, sizes, means)


def unpacked_means(network: Network) -> OutsideMeans:
    """Invert `packed_means`. Raises CorruptFileError where sizes and weights do not fit."""
    found = unpack(network, _made)
    assert isinstance(found, OutsideMeans)
    return found


class RunningMeans:
    """Means that run. Raises CorruptFileError where sizes and weights do not fit."""

    def __init__(self, network: Network) -> None:
        self._means = unpacked_means(network)

    def quantize(self, latent: Floats, given: Given) -> Symbols:
        """(1, c, h, w) latent in steps, and symbols of the layers below -> symbols."""
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            symbols, _ = self._means.quantize(_tensor(latent), [_tensor(below) for below in given])
        return np.asarray(np.clip(symbols.numpy(), -MAX_SYMBOL, MAX_SYMBOL), dtype=np.int32)

    def restore(self, symbols: Symbols, given: Given) -> Floats:
        """(1, c, h, w) symbols, and those of the layers below -> the latent in steps."""
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            found = self._means.restore(_tensor(symbols), [_tensor(below) for below in given])
        return np.asarray(found.numpy(), dtype=np.float32)


def _made(name: str, sizes: Mapping[str, Any]) -> OutsideMeans:
    if sorted(sizes) != sorted(SIZES):
        raise UsageError(f"{name}: its sizes are {', '.join(SIZES)}")
    for key, value in sizes.items():
        if (key, value) != ("given", []):
            check_size(key, value)
    return OutsideMeans(*(sizes[key] for key in SIZES))


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))

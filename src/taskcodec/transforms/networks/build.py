"""From networks as data to networks that run, and back: the closed list of architectures."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from taskcodec.errors import CorruptFileError, UsageError, check_one_of
from taskcodec.transforms.networks.carried import Network, check_size
from taskcodec.transforms.networks.deconv import Deconv
from taskcodec.transforms.networks.head import Head
from taskcodec.transforms.networks.mlp import MLP
from taskcodec.transforms.networks.pictures.block_transform import (
    BLOCKS,
    BLOCKS_SYNTHESIS,
    BlockAnalysis,
    BlockSynthesis,
)
from taskcodec.transforms.networks.pictures.grain import GRAIN, GrainSynthesis
from taskcodec.transforms.networks.pictures.stacks import ELIC, LIGHT, PictureAnalysis, PictureSynthesis
from taskcodec.transforms.networks.resnet import ResNet
from taskcodec.transforms.networks.resnet_small import ResNetSmall

_MAKERS: Mapping[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "head": Head,
    "resnet_small": ResNetSmall,
    "resnet18": partial(ResNet, 18),
    "resnet50": partial(ResNet, 50),
    "deconv": Deconv,
    "light": partial(PictureAnalysis, **LIGHT),
    "elic": partial(PictureAnalysis, **ELIC),
    "blocks": partial(BlockAnalysis, **BLOCKS),
    "light_synthesis": partial(PictureSynthesis, **LIGHT),
    "elic_synthesis": partial(PictureSynthesis, **ELIC),
    "blocks_synthesis": partial(BlockSynthesis, **BLOCKS_SYNTHESIS),
    "grain": partial(GrainSynthesis, **GRAIN),
}


def size_names(name: str) -> tuple[list[str], list[str]]:
    """The sizes that an architecture needs, and those that it may be given. Raises UsageError on an unknown name."""
    check_one_of("network", name, _MAKERS)
    parameters = inspect.signature(_MAKERS[name]).parameters.values()
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    return needed, [p.name for p in parameters if p.default is not inspect.Parameter.empty]


def make(name: str, sizes: Mapping[str, Any]) -> nn.Module:
    """A network with fresh weights, drawn by torch's own generator. Raises UsageError on sizes that are none."""
    needed, optional = size_names(name)
    for key, value in sizes.items():
        if key not in needed + optional:
            raise UsageError(f"network {name}: invalid size {key!r}; it has {', '.join(needed + optional)}")
        try:
            check_size(key, value)
        except UsageError as error:
            raise UsageError(f"network {name}: {error}") from error
    missing = [key for key in needed if key not in sizes]
    if missing:
        raise UsageError(f"network {name}: needs {', '.join(missing)}")
    try:
        return _MAKERS[name](**sizes)
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"network {name}: {error}") from error


def pack(name: str, sizes: Mapping[str, Any], module: nn.Module) -> Network:
    """A trained network as data."""
    state = {key: value for key, value in module.state_dict().items() if value.is_floating_point()}
    weights = {key: value.detach().float().cpu().contiguous().numpy() for key, value in state.items()}
    return Network(name, dict(sizes), weights)


def unpack(network: Network, made: Callable[[str, Mapping[str, Any]], nn.Module] = make) -> nn.Module:
    """The network that runs, without gradients. Raises CorruptFileError where weights and sizes do not fit.

    `made` makes it of its name and sizes. Its layers are laid out without memory first, so that sizes in a file cannot
    ask for more than its weights fill.
    """
    try:
        with torch.device("meta"):
            module = made(network.name, network.sizes)
        weights = {key: torch.from_numpy(np.array(value)) for key, value in network.weights.items()}
        found = module.load_state_dict(weights, strict=False, assign=True)
    except (UsageError, RuntimeError) as error:
        raise CorruptFileError(f"network {network.name}: {' '.join(str(error).split())[:200]}") from error
    # Batch normalisation's counters are whole numbers, which only training reads.
    lost = [key for key in found.missing_keys if not key.endswith("num_batches_tracked")]
    if lost or found.unexpected_keys:
        raise CorruptFileError(
            f"network {network.name}: its weights lack or do not fit {[*lost, *found.unexpected_keys][0]}"
        )
    for key in set(found.missing_keys) - set(lost):
        owner, _, name = key.rpartition(".")
        module.get_submodule(owner).register_buffer(name, torch.zeros((), dtype=torch.long))
    return module.eval().requires_grad_(False)

"""Running the analysis network that a codec carries: alone on images or vectors, or on a frozen backbone's features.

    image --preprocess--> g_a --> y            codec:FILE, trained from scratch
    image --backbone--> features --g_a--> y    codec:FILE, a head on a frozen backbone
    vector --g_a--> y

To the rest of the house it is a backbone like any other, named by the codec's file.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from taskcodec.errors import BackboneError, CorruptFileError
from taskcodec.transforms.backbones.base import Backbone, pick_device
from taskcodec.transforms.networks.build import unpack
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import CARRIED, BackboneSpec, placed

Vectors = npt.NDArray[np.float32]
BATCH = 1024


def spec_of(networks: Networks, below: BackboneSpec | None, name: str) -> BackboneSpec:
    """What identifies the analysis of these networks: its weights, and all that comes before them.

    The file that `name` says is where it is to be found again, and no part of what it is.
    """
    g_a = networks.g_a
    assert g_a is not None
    before = dict(networks.preprocessing) if networks.takes_images else {"inputs": networks.inputs}
    if below is not None:
        before = {"backbone": below.content()}
    return BackboneSpec(f"{CARRIED}{g_a.sha256[:12]}", g_a.sha256, int(g_a.sizes["outputs"]), before, placed(name))


def backbone_of(networks: Networks, below: Backbone | None, name: str, device: str | None = None) -> Backbone:
    """The analysis of a codec as a backbone.

    Args:
        networks: with g_a.
        below: the frozen backbone whose features g_a reads, None where it reads images itself.
        name: what the backbone is called in stores.
        device: "cpu", "cuda", ...; CUDA where there is one by default.
    """
    assert networks.g_a is not None
    spec = spec_of(networks, None if below is None else below.spec, name)
    if below is not None:
        head = _unpacked(networks.g_a, name).to(below.device)
        frozen = below.network
        return replace(below, spec=spec, network=lambda x: _exact(head, frozen(x)))
    if not networks.takes_images:
        raise BackboneError(f"{name}: its analysis takes vectors of {networks.inputs} numbers, not images")
    where = pick_device(device)
    network, grey = _unpacked(networks.g_a, name).to(where), networks.g_a.sizes["channels"] == 1
    return Backbone(
        spec,
        preprocessing_of(networks, name),
        lambda x: _exact(network, x.mean(1, keepdim=True) if grey else x),
        where,
    )


def _unpacked(network: Network, name: str) -> torch.nn.Module:
    """`unpack`, whose error then names the codec."""
    try:
        return unpack(network)
    except CorruptFileError as error:
        raise CorruptFileError(f"{name}: {error}") from error


def preprocessing_of(networks: Networks, name: str) -> Preprocessing:
    """What is done to an image before g_a. Raises BackboneError where the codec's file says nothing sensible."""
    try:
        found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in networks.preprocessing.items()}
        return Preprocessing(**found)
    except TypeError as error:
        raise BackboneError(f"{name}: its preprocessing is not known here: {error}") from error


def on_vectors(network: Network) -> Callable[[Vectors], Vectors]:
    """A network as a function of (n, d) vectors -> (n, ...) float32, batch by batch."""
    module = unpack(network)

    def run(x: Vectors) -> Vectors:
        with torch.inference_mode():
            parts = [
                module(torch.from_numpy(np.array(x[i : i + BATCH], dtype=np.float32))).numpy()
                for i in range(0, max(len(x), 1), BATCH)
            ]
        return np.asarray(np.concatenate(parts), dtype=np.float32)

    return run


def _exact(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """In float32: what is rounded to whole numbers next must not lose its fraction to bfloat16."""
    with torch.autocast(x.device.type, enabled=False):
        return torch.as_tensor(network(x.float()))

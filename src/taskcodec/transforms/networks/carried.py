"""The networks that travel in a codec's file: an architecture by name, its sizes as plain JSON, its weights as tensors.

    x (image or vector) --g_a--> y (n, k)        analysis: runs where data are encoded
    x_hat               <--g_s-- y_hat (n, k)    synthesis: only for who wants pictures; predictors read y_hat

Data only: `taskcodec.transforms.networks.build` makes running networks of it, from a closed list of architectures, so
that a file never brings code. Needs no torch.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError, UsageError, check_one_of, shortened

Weights = Mapping[str, npt.NDArray[np.float32]]
ANALYSES = ("mlp", "head", "resnet_small", "resnet18", "resnet50")
SYNTHESES = ("mlp", "deconv")
PICTURE_ANALYSES = ("light", "elic", "blocks")
PICTURE_SYNTHESES = ("light_synthesis", "elic_synthesis", "blocks_synthesis")
"""Of pictures of any size, whose latents have places: in codecs of pictures; those above in codecs of features."""
GRAIN = "grain"
"""Of pictures, what noise draws, to be added to what a synthesis gives."""
OF_VECTORS = ("mlp", "head")
"""Analyses that take vectors; the others take images."""
OUTSIDE_MEANS = "outside_means"
"""Of pictures, what gives the means of symbols outside the entropy coder."""
LISTS = ("hidden", "widths", "given", "groups", "reads")
"""Sizes that are lists of whole numbers; the others are one each."""
FLAGS = ("attention", "checkerboard", "boxes")
"""Sizes that are true or false."""
MAX_SIZE = 1 << 16
"""No size in a network is larger."""
KEPT_SYNTHESIS_BYTES = 4 * 2**20
"""A store keeps g_s up to this size: it is what shows people what was kept, and costs little beside many samples."""


def check_size(key: str, value: object) -> None:
    """Raise UsageError unless a network may be given this size."""
    if key in FLAGS:
        if type(value) is not bool:
            raise UsageError(f"{key} must be true or false, found {shortened(value)}")
        return
    numbers = [value] if key not in LISTS else value if isinstance(value, list | tuple) else []
    if not numbers or not all(type(number) is int and 1 <= number <= MAX_SIZE for number in numbers):
        wanted = "a list of whole numbers, each" if key in LISTS else "a whole number"
        raise UsageError(f"{key} must be {wanted} from 1 to {MAX_SIZE}, found {shortened(value)}")


@dataclass(frozen=True, eq=False)
class Network:
    """A network as data.

    Attributes:
        name: of the architecture.
        sizes: what its constructor takes: whole numbers, or lists of them.
        weights: by the names of its parameters and buffers, float32.
    """

    name: str
    sizes: Mapping[str, Any]
    weights: Weights

    def __post_init__(self) -> None:
        known = dict.fromkeys((*ANALYSES, *SYNTHESES, *PICTURE_ANALYSES, *PICTURE_SYNTHESES, OUTSIDE_MEANS, GRAIN))
        check_one_of("network", self.name, tuple(known), CorruptFileError)
        if not all(np.isfinite(tensor).all() for tensor in self.weights.values()):
            raise CorruptFileError(f"the weights of the network {self.name} are not finite")

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return sum(tensor.nbytes for tensor in self.weights.values())

    @property
    def sha256(self) -> str:
        """Hash of all that the network is, 64 hex digits."""
        digest = hashlib.sha256(json.dumps([self.name, dict(self.sizes)], sort_keys=True).encode())
        for key in sorted(self.weights):
            digest.update(f"\n{key} {self.weights[key].shape}\n".encode())
            digest.update(np.ascontiguousarray(self.weights[key], dtype="<f4").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of a codec.

    Attributes:
        g_a: analysis; None in the copy that a store keeps.
        g_s: synthesis, where there is one.
        preprocessing: what is done to an image before g_a, as JSON; empty where g_a takes vectors.
        g_p: of pictures, a synthesis that shows people what a layer alone keeps, where its g_s is for a task.
        means: of pictures, what shifts symbols outside the entropy coder, where integers choose scales alone.
        g_r: of pictures, a second synthesis that is fed noise beside what g_s sees, so that what it gives looks real.
        grain: of pictures, the same as what is added to what g_s gives.
    """

    g_a: Network | None = None
    g_s: Network | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    g_p: Network | None = None
    means: Network | None = None
    g_r: Network | None = None
    grain: Network | None = None

    @property
    def takes_images(self) -> bool:
        """Whether g_a reads images."""
        return self.g_a is not None and self.g_a.name not in OF_VECTORS

    @property
    def inputs(self) -> int | None:
        """Length of the vectors that g_a reads, None where it reads images or is not there."""
        return None if self.g_a is None or self.takes_images else int(self.g_a.sizes["inputs"])

    def for_store(self) -> "Networks | None":
        """What a store keeps of them."""
        kept = self.g_s if self.g_s is not None and self.g_s.nbytes <= KEPT_SYNTHESIS_BYTES else None
        return None if kept is None else Networks(g_s=kept, preprocessing=self.preprocessing)

    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        described = {
            role: {"name": network.name, "sizes": dict(network.sizes)} for role, network in self._by_role().items()
        }
        return {**described, "preprocessing": dict(self.preprocessing)}

    def tensors(self) -> dict[str, npt.NDArray[np.float32]]:
        """The weights under the names that they have in the codec's file."""
        return {
            f"{role}/{key}": np.asarray(tensor, dtype="<f4")
            for role, network in self._by_role().items()
            for key, tensor in network.weights.items()
        }

    @classmethod
    def read(
        cls,
        manifest: Mapping[str, Any],
        tensors: Mapping[str, npt.NDArray[Any]],
        before: str = "",
        pictures: bool = False,
    ) -> "Networks":
        """Invert `manifest` and `tensors`, whose names begin with `before`; of a codec of `pictures`, or of features.

        Raises KeyError, TypeError or CorruptFileError on anything else.
        """
        found: dict[str, Network] = {}
        known: dict[str, tuple[str, ...]] = {"g_a": ANALYSES, "g_s": SYNTHESES}
        if pictures:
            known = {"g_a": PICTURE_ANALYSES, "g_s": PICTURE_SYNTHESES, "g_p": PICTURE_SYNTHESES}
            known |= {"means": (OUTSIDE_MEANS,), "g_r": PICTURE_SYNTHESES, "grain": (GRAIN,)}
        for role, names in known.items():
            if role in manifest:
                entry, prefix = manifest[role], f"{before}{role}/"
                check_one_of(role, entry["name"], names, CorruptFileError)
                weights = {
                    key.removeprefix(prefix): np.asarray(tensor, dtype=np.float32)
                    for key, tensor in tensors.items()
                    if key.startswith(prefix)
                }
                found[role] = Network(entry["name"], dict(entry["sizes"]), weights)
        return cls(**found, preprocessing=dict(manifest["preprocessing"]))

    @classmethod
    def of_codec(cls, manifest: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> "Networks | None":
        """Those of a codec's lowest layer, None where it has none. Raises KeyError, TypeError or CorruptFileError."""
        transform = manifest["layers"][0]["transform"]
        return cls.read(transform["networks"], tensors, "0/") if "networks" in transform else None

    def _by_role(self) -> dict[str, Network]:
        roles = ("g_a", "g_s", "g_p", "means", "g_r", "grain")
        return {role: network for role in roles if (network := getattr(self, role)) is not None}

"""A backbone's name, and the record that identifies it. Imports no torch, so that reading a codec does not."""

import os
from dataclasses import dataclass, field
from typing import Any

from taskcodec.errors import BackboneError

DEFAULT = "lite0"
KINDS = ("timm", "torchvision", "open_clip", "hf", "onnx", "codec")
"""What may stand before the colon of a backbone's name."""
CARRIED = "codec:"
"""What the names of analyses that codecs carry begin with: the codec's file follows where one is to be loaded, the hash
of the network where it is recorded."""


def check_name(name: str) -> None:
    """Raise BackboneError on a name that no backbone can have."""
    kind, _, rest = name.partition(":")
    if name != DEFAULT and not (rest and kind in KINDS):
        forms = ", ".join([DEFAULT, *(f"{kind}:..." for kind in KINDS)])
        raise BackboneError(f"{name}: no such backbone; known are {forms}")


@dataclass(frozen=True)
class BackboneSpec:
    """What must be the same when features are computed again: recorded in the codec, checked before encoding.

    Attributes:
        name: the name `load_backbone` takes ("lite0", "timm:resnet50", ...).
        weights_sha256: hash of the weights, 64 hex digits.
        dimension: d, the number of features.
        preprocessing: resize, crop, mean, std, ... as plain JSON.
        found_at: the name to load it by, where `name` says no place; it identifies nothing, and may be out of date.
    """

    name: str
    weights_sha256: str
    dimension: int
    preprocessing: dict[str, Any] = field(default_factory=dict)
    found_at: str = field(default="", compare=False)

    def content(self) -> dict[str, Any]:
        """What identifies it, as plain JSON."""
        return {key: value for key, value in vars(self).items() if key != "found_at"}

    @property
    def loadable(self) -> str:
        """What `load_backbone` takes."""
        return self.found_at or self.name

    def answers_to(self, name: str) -> bool:
        """Whether a user who gives this name means it."""
        return name == self.name or (bool(self.found_at) and placed(name) == self.found_at)

    def check(self, found: "BackboneSpec") -> None:
        """Raise BackboneError where another backbone was found, or its weights or preprocessing are others now."""
        if found.weights_sha256 != self.weights_sha256 or found.dimension != self.dimension:
            raise BackboneError(
                f"{self.loadable}: its weights (SHA-256 {found.weights_sha256[:12]}) are not those the codec was "
                f"fitted on ({self.weights_sha256[:12]})"
            )
        if self.preprocessing and self.preprocessing != found.preprocessing:
            raise BackboneError(
                f"{self.loadable}: its preprocessing ({found.preprocessing}) is not the one the codec was fitted with "
                f"({self.preprocessing})"
            )


def placed(name: str) -> str:
    """A name that a codec's file follows, as one that means the same in every folder; "" for what names no file."""
    file = name.removeprefix(CARRIED)
    return f"{CARRIED}{os.path.abspath(file)}" if file != name else ""

"""A backbone's name, and the record that identifies it. Imports no torch, so that reading a codec does not."""

from dataclasses import dataclass, field
from typing import Any

from taskcodec.errors import BackboneError

DEFAULT = "lite0"
KINDS = ("timm", "torchvision", "open_clip", "hf", "onnx", "codec")
"""What may stand before the colon of a backbone's name."""


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
    """

    name: str
    weights_sha256: str
    dimension: int
    preprocessing: dict[str, Any] = field(default_factory=dict)

    def check(self, found: "BackboneSpec") -> None:
        """Raise BackboneError where another backbone was found, or its weights or preprocessing are others now."""
        if found.weights_sha256 != self.weights_sha256 or found.dimension != self.dimension:
            raise BackboneError(
                f"{self.name}: its weights (SHA-256 {found.weights_sha256[:12]}) are not those the codec was fitted on "
                f"({self.weights_sha256[:12]})"
            )
        if self.preprocessing and self.preprocessing != found.preprocessing:
            raise BackboneError(
                f"{self.name}: its preprocessing ({found.preprocessing}) is not the one the codec was fitted with "
                f"({self.preprocessing})"
            )

"""The record that identifies a backbone. Needs nothing, so that reading a codec imports no torch."""

from dataclasses import dataclass, field
from typing import Any


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

"""A backbone's name, and the record that identifies it. Imports no torch, so that reading a codec does not."""

import os
from dataclasses import dataclass, field, replace
from typing import Any

from taskcodec.errors import BackboneError, UsageError

DEFAULT = "lite0"
PACKAGED = (DEFAULT, "lite1")
"""Those whose weights are packages of their own."""
KINDS = ("timm", "torchvision", "open_clip", "hf", "onnx", "codec")
"""What may stand before the colon of a backbone's name."""
LOCAL_FOLDER = "local-dir:"
"""timm's and OpenCLIP's own prefix for a folder of config and weights."""
CARRIED = "codec:"
"""What the names of analyses that codecs carry begin with: the codec's file follows where one is to be loaded, the hash
of the network where it is recorded."""

NAME_IT = "name it where it lies now (--codec FILE)"


def check_name(name: str) -> None:
    """Raise BackboneError on a name that no backbone can have."""
    kind, _, rest = name.partition(":")
    if name not in PACKAGED and not (rest and kind in KINDS):
        forms = ", ".join([*PACKAGED, *(f"{kind}:..." for kind in KINDS)])
        raise BackboneError(f"{name}: no such backbone; known are {forms}")


@dataclass(frozen=True)
class BackboneSpec:
    """What must be the same when features are computed again: recorded in the codec, checked before encoding.

    Attributes:
        name: the name `load_backbone` takes ("lite0", "timm:resnet50", ...), of a file or folder without its place.
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
        return name == self.name or (
            bool(self.found_at) and (placed(name) == self.found_at or called(name) == self.name)
        )

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


def lying_at(spec: BackboneSpec | None, file: str | None) -> BackboneSpec | None:
    """The record of an analysis that a codec carries, with the file in which that codec lies now, where one is named.

    Raises UsageError where one is named, and none is of use.
    """
    if file is None:
        return spec
    if spec is None or not spec.name.startswith(CARRIED):
        raise UsageError(f"--codec {file}: the codec of this store carries no analysis of its own; leave it out")
    return replace(spec, found_at=placed(f"{CARRIED}{file}"))


def recorded_file(spec: BackboneSpec) -> str:
    """The file of the codec that carries an analysis. Raises BackboneError where none is recorded, or there."""
    file = spec.loadable.removeprefix(CARRIED)
    if not spec.found_at and file == spec.weights_sha256[: len(file)]:
        raise BackboneError(f"the file of the codec that the store was made with is not recorded: {NAME_IT}")
    if not os.path.exists(file):
        raise BackboneError(f"{file}: no such file any more, of the codec that the store was made with: {NAME_IT}")
    return file


def placed(name: str) -> str:
    """A name with a file or folder in it, as one that means the same from everywhere; "" for what names none."""
    before, file = _parted(name)
    return f"{before}{os.path.abspath(file)}" if file else ""


def called(name: str) -> str:
    """A name as it is recorded: of a file or folder its own name, wherever it lies."""
    before, file = _parted(name)
    return f"{before}{os.path.basename(os.path.abspath(file))}" if file else name


def _parted(name: str) -> tuple[str, str]:
    """A name's file or folder, and what stands before it: `onnx:FILE`, `timm:MODEL@FILE`, `hf:FOLDER`, ..."""
    kind, _, rest = name.partition(":")
    if rest.startswith(LOCAL_FOLDER):
        return f"{kind}:{LOCAL_FOLDER}", rest.removeprefix(LOCAL_FOLDER)
    if kind in ("onnx", "codec") or (kind == "hf" and os.path.isdir(rest)):
        return f"{kind}:", rest
    if kind == "open_clip":
        model, _, file = rest.partition("/")
        return f"{kind}:{model}/", file if os.path.isfile(file) else ""
    model, _, file = rest.partition("@")
    return f"{kind}:{model}@", file

"""Backbones by name: pretrained analysis transforms from images to features."""

from functools import lru_cache

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.base import Backbone
from taskcodec.transforms.spec import DEFAULT, BackboneSpec, check_name


@lru_cache(maxsize=2)
def load_backbone(name: str, device: str | None = None) -> Backbone:
    """Load a backbone.

    Args:
        name: "lite0", "timm:MODEL[@FILE]", "timm:local-dir:FOLDER", "torchvision:MODEL[@FILE]",
            "open_clip:MODEL/PRETRAINED", "open_clip:local-dir:FOLDER", "hf:REPOSITORY_OR_FOLDER", "onnx:FILE" or
            "codec:FILE" (the analysis of a learned codec).
        device: "cpu", "cuda", ...; CUDA where there is one by default.

    Raises:
        BackboneError: unknown, not installed, or not to be had offline.
    """
    check_name(name)
    from taskcodec.transforms.backbones import foreign, learned, lite0

    loaders = {
        "timm": foreign.load_timm,
        "torchvision": foreign.load_torchvision,
        "open_clip": foreign.load_open_clip,
        "hf": foreign.load_transformers,
        "onnx": foreign.load_onnx,
        "codec": learned.load,
    }
    if name == DEFAULT:
        return lite0.load(device)
    kind, _, rest = name.partition(":")
    return loaders[kind](rest, device)


def load_backbone_for(spec: BackboneSpec, device: str | None = None) -> Backbone:
    """Load the backbone a codec was fitted on. Raises BackboneError where weights or preprocessing are others now."""
    backbone = load_backbone(spec.name, device)
    if backbone.spec.weights_sha256 != spec.weights_sha256 or backbone.spec.dimension != spec.dimension:
        raise BackboneError(
            f"{spec.name}: its weights (SHA-256 {backbone.spec.weights_sha256[:12]}) are not those the codec "
            f"was fitted on ({spec.weights_sha256[:12]})"
        )
    if spec.preprocessing and spec.preprocessing != backbone.spec.preprocessing:
        raise BackboneError(
            f"{spec.name}: its preprocessing ({backbone.spec.preprocessing}) is not the one the codec was fitted with "
            f"({spec.preprocessing})"
        )
    return backbone


__all__ = ["DEFAULT", "Backbone", "BackboneSpec", "load_backbone", "load_backbone_for"]

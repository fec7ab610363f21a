"""Backbones by name: whichever library they come from, or the codec that carries them."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from taskcodec.container import file as codec_file
from taskcodec.container.upgrade import upgraded
from taskcodec.errors import BackboneError, TaskcodecError
from taskcodec.transforms.backbones.base import Backbone
from taskcodec.transforms.backbones.learned import backbone_of
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.spec import (
    CARRIED,
    NAME_IT,
    PACKAGED,
    BackboneSpec,
    called,
    check_name,
    placed,
    recorded_file,
)


def load_backbone(name: str, device: str | None = None) -> Backbone:
    """Load a backbone.

    Args:
        name: "lite0", "lite1", "timm:MODEL[@FILE]", "timm:local-dir:FOLDER", "torchvision:MODEL[@FILE]",
            "open_clip:MODEL/PRETRAINED", "open_clip:local-dir:FOLDER", "hf:REPOSITORY_OR_FOLDER", "onnx:FILE" or
            "codec:FILE" (the analysis of a learned codec).
        device: "cpu", "cuda", ...; CUDA where there is one by default.

    Raises:
        BackboneError: unknown, not installed, or not to be had offline.
    """
    check_name(name)
    return _loaded(placed(name) or name, device)


@lru_cache(maxsize=2)
def _loaded(name: str, device: str | None) -> Backbone:
    from taskcodec.transforms.backbones import foreign, lite

    loaders = {
        "timm": foreign.load_timm,
        "torchvision": foreign.load_torchvision,
        "open_clip": foreign.load_open_clip,
        "hf": foreign.load_transformers,
        "onnx": foreign.load_onnx,
        "codec": _load_carried,
    }
    if name in PACKAGED:
        return lite.load(name, device)
    kind, _, rest = name.partition(":")
    backbone = loaders[kind](rest, device)
    if kind == "codec" or not placed(name):
        return backbone
    return replace(backbone, spec=replace(backbone.spec, name=called(name), found_at=placed(name)))


def load_backbone_for(spec: BackboneSpec, device: str | None = None) -> Backbone:
    """Load the backbone a codec was fitted on. Raises BackboneError where weights or preprocessing are others now."""
    carried = spec.name.startswith(CARRIED)
    if carried:
        recorded_file(spec)
    backbone = load_backbone(spec.loadable, device)
    try:
        spec.check(backbone.spec)
    except BackboneError as error:
        raise BackboneError(f"{error}; {NAME_IT}" if carried else str(error)) from error
    return backbone


def analysis_of(networks: Networks, below: BackboneSpec | None, name: str, device: str | None = None) -> Backbone:
    """The analysis of a learned codec as a backbone, over the frozen one it reads, if any."""
    base = None if below is None else replace(load_backbone_for(below, device), spec=below)
    return backbone_of(networks, base, name, device)


def _load_carried(rest: str, device: str | None) -> Backbone:
    """`codec:FILE`: the analysis of a learned codec. Raises BackboneError where the file has none for images."""
    try:
        manifest, tensors = upgraded(*codec_file.read(Path(rest).read_bytes(), rest))
        if manifest["domain"] == "pictures":
            raise BackboneError(f"{rest}: a codec of pictures, which makes no features of them")
        networks = Networks.of_codec(manifest, tensors)
        below = None if manifest["backbone"] is None else BackboneSpec(**manifest["backbone"])
    except OSError as error:
        raise BackboneError(f"{rest}: cannot be read ({error.strerror})") from error
    except BackboneError:
        raise
    except (TaskcodecError, LookupError, TypeError) as error:
        raise BackboneError(f"{rest}: not a learned codec ({error})") from error
    if networks is None or networks.g_a is None:
        raise BackboneError(f"{rest}: a codec without a learned analysis")
    return analysis_of(networks, below, f"{CARRIED}{rest}", device)

"""Backbones of other libraries: timm, torchvision, OpenCLIP, transformers' vision towers, ONNX files.

Each loader is given what follows the colon of the name. A local file or folder is used as it is; anything else is the
library's own name, whose weights the library downloads, with its own progress, because the user named it.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.base import Backbone, channels_last, hash_state, pick_device
from taskcodec.transforms.images import Preprocessing
from taskcodec.transforms.spec import BackboneSpec

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_declared: list[Any] = []  # torch forgets an operator when the library that declared it is collected


def load_timm(rest: str, device: str | None) -> Backbone:
    """`timm:MODEL`, or `timm:MODEL@FILE` for weights in a local file."""
    model_name, _, checkpoint = rest.partition("@")
    import_torchvision()
    timm = _library("timm", "timm")
    if checkpoint and not Path(checkpoint).is_file():
        raise BackboneError(f"timm:{rest}: no such weights file: {checkpoint}")
    weights = {"checkpoint_path": checkpoint} if checkpoint else {"pretrained": True}
    network = _fetch(f"timm:{rest}", lambda: timm.create_model(model_name, num_classes=0, **weights))
    data = timm.data.resolve_model_data_config(network)
    side = int(data["input_size"][-1])
    preprocessing = Preprocessing(
        round(side / data["crop_pct"]), side, _interpolation(data["interpolation"]), data["mean"], data["std"]
    )
    return _wrap(f"timm:{rest}", network, network, preprocessing, device)


def load_torchvision(rest: str, device: str | None) -> Backbone:
    """`torchvision:MODEL` with its default weights, or `torchvision:MODEL@FILE` for a local state dict."""
    model_name, _, checkpoint = rest.partition("@")
    import_torchvision()
    models = _library("torchvision.models", "torchvision")
    if checkpoint and not Path(checkpoint).is_file():
        raise BackboneError(f"torchvision:{rest}: no such weights file: {checkpoint}")
    network = _fetch(
        f"torchvision:{rest}", lambda: models.get_model(model_name, weights=None if checkpoint else "DEFAULT")
    )
    if checkpoint:
        network.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    for head in ("fc", "classifier", "heads", "head"):
        if hasattr(network, head):
            setattr(network, head, torch.nn.Identity())
    preprocessing = Preprocessing(256, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
    return _wrap(f"torchvision:{rest}", network, network, preprocessing, device)


def load_open_clip(rest: str, device: str | None) -> Backbone:
    """`open_clip:MODEL/PRETRAINED`, where PRETRAINED is a tag or a local file."""
    model_name, _, pretrained = rest.partition("/")
    import_torchvision()
    open_clip = _library("open_clip", "open_clip_torch")
    model = _fetch(
        f"open_clip:{rest}", lambda: open_clip.create_model(model_name, pretrained=pretrained or None).eval()
    )
    visual = model.visual
    side = visual.image_size[0] if isinstance(visual.image_size, tuple) else visual.image_size
    mean = tuple(visual.image_mean or open_clip.OPENAI_DATASET_MEAN)
    std = tuple(visual.image_std or open_clip.OPENAI_DATASET_STD)
    preprocessing = Preprocessing(side, side, "bicubic", mean, std)
    return _wrap(f"open_clip:{rest}", visual, model.encode_image, preprocessing, device)


def load_transformers(rest: str, device: str | None) -> Backbone:
    """`hf:REPOSITORY` or `hf:FOLDER`: the vision tower of CLIP, SigLIP, DINOv2, ViT, ..."""
    transformers = _library("transformers", "transformers")
    name = f"hf:{rest}"
    model = _fetch(name, lambda: transformers.AutoModel.from_pretrained(rest))
    processor = _fetch(name, lambda: transformers.AutoImageProcessor.from_pretrained(rest, use_fast=False))
    tower = getattr(model, "vision_model", model)
    size = processor.size.get("shortest_edge") or processor.size.get("height")
    crop = getattr(processor, "crop_size", None) if getattr(processor, "do_center_crop", False) else None
    side = (crop or {}).get("height", size)
    preprocessing = Preprocessing(
        int(size), int(side), "bicubic", tuple(processor.image_mean), tuple(processor.image_std)
    )

    def pooled(x: torch.Tensor) -> torch.Tensor:
        if hasattr(model, "get_image_features"):
            features = model.get_image_features(pixel_values=x)
            return torch.as_tensor(features if isinstance(features, torch.Tensor) else features.pooler_output)
        output = tower(pixel_values=x)
        found = getattr(output, "pooler_output", None)
        return torch.as_tensor(output.last_hidden_state[:, 0] if found is None else found)

    return _wrap(name, model, pooled, preprocessing, device)


def load_onnx(rest: str, device: str | None) -> Backbone:
    """`onnx:FILE`: one image input (n, 3, H, W), normalised with ImageNet's mean and deviation; the first output."""
    runtime = _library("onnxruntime", "onnxruntime")
    path = Path(rest)
    if not path.is_file():
        raise BackboneError(f"onnx:{rest}: no such file")
    try:
        session = runtime.InferenceSession(str(path), providers=runtime.get_available_providers())
    except Exception as error:  # onnxruntime has no public base class for its own errors
        raise BackboneError(f"onnx:{rest}: not a model that onnxruntime loads ({type(error).__name__})") from error
    shape = session.get_inputs()[0].shape
    side = shape[2] if len(shape) == 4 and isinstance(shape[2], int) else 224
    fixed = shape[0] if isinstance(shape[0], int) else None
    name = session.get_inputs()[0].name

    def run(x: torch.Tensor) -> torch.Tensor:
        batch = x.contiguous().numpy()
        groups = np.split(batch, len(batch) // fixed) if fixed and len(batch) % fixed == 0 else [batch]
        found = np.concatenate([np.asarray(session.run(None, {name: group})[0]) for group in groups])
        return torch.from_numpy(found.reshape(len(found), -1))

    preprocessing = Preprocessing(round(side / 0.875), side, "bicubic", IMAGENET_MEAN, IMAGENET_STD)
    sample = run(torch.zeros((fixed or 1, 3, side, side)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    spec = BackboneSpec(f"onnx:{rest}", digest, int(sample.shape[1]), preprocessing.to_json())
    return Backbone(spec, preprocessing, run, torch.device("cpu"))


def import_torchvision() -> None:
    """Import torchvision even where its compiled operators do not fit this torch.

    A processor-only torch cannot load operators that were built for CUDA, and torchvision then stops on the first
    one it wants to describe. The models need none of them, so the missing names are declared, and calling one fails.
    """
    for _ in range(64):
        try:
            import_module("torchvision")
            return
        except ImportError as error:
            raise BackboneError("this backbone needs torchvision; run: pip install 'taskcodec[backbones]'") from error
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise BackboneError(f"torchvision does not fit this torch: {error}") from error
            if not _declared:
                _declared.append(torch.library.Library("torchvision", "DEF"))  # type: ignore[no-untyped-call]
            _declared[0].define(f"{missing[1]}(Tensor x) -> Tensor")
            for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
                del sys.modules[module]


def _library(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise BackboneError(f"this backbone needs {package}; run: pip install {package}") from error


def _fetch(name: str, make: Callable[[], Any]) -> Any:
    """Build a model; whatever the library raises becomes one line that says what to do."""
    try:
        return make()
    except Exception as error:  # each library raises its own errors for unknown names and for being offline
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"{name}: cannot be loaded ({reason}); check the name, and that this machine is online or has the weights"
        ) from error


def _interpolation(name: str) -> str:
    return "bilinear" if name == "bilinear" else "bicubic"


def _wrap(
    name: str,
    module: torch.nn.Module,
    network: Callable[[torch.Tensor], torch.Tensor],
    preprocessing: Preprocessing,
    device: str | None,
) -> Backbone:
    where = pick_device(device)
    channels_last(module, where)
    with torch.inference_mode():
        sample = network(torch.zeros((1, 3, preprocessing.crop, preprocessing.crop), device=where))
    if sample.ndim != 2:
        raise BackboneError(f"{name}: gives {tuple(sample.shape)} for one image; a backbone gives one vector")
    spec = BackboneSpec(name, hash_state(module.state_dict()), int(sample.shape[1]), preprocessing.to_json())
    return Backbone(spec, preprocessing, network, where)

"""Backbones of other libraries: timm, torchvision, OpenCLIP, transformers' vision towers, ONNX files.

Each loader is given what follows the colon of the name. A local file or folder is used as it is; anything else is the
library's own name, whose weights the library downloads, with its own progress, because the user named it. The
preprocessing is the library's own for that model, and is held against the library's code when the model is loaded.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.base import Backbone
from taskcodec.transforms.backbones.libraries import (
    check_preprocessing,
    fetch,
    import_library,
    load_body,
    read_state,
    wrap,
)
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import LOCAL_FOLDER, BackboneSpec
from taskcodec.transforms.torchvision import has_torchvision, import_torchvision

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load_timm(rest: str, device: str | None) -> Backbone:
    """`timm:MODEL`, `timm:MODEL@FILE` for weights in a local file, or `timm:local-dir:FOLDER` as timm saves it."""
    name = f"timm:{rest}"
    model_name, _, checkpoint = (rest, "", "") if rest.startswith(LOCAL_FOLDER) else rest.partition("@")
    import_torchvision()
    timm = import_library("timm", "timm")
    state = read_state(name, checkpoint) if checkpoint else None
    network = fetch(name, lambda: timm.create_model(model_name, num_classes=0, pretrained=state is None))
    if state is not None:
        load_body(name, network, state)
    data = timm.data.resolve_model_data_config(network)
    side = int(data["input_size"][-1])
    # timm rounds the side of the scaled image down.
    preprocessing = _preprocessing(
        int(side / data["crop_pct"]), side, data["interpolation"], data["mean"], data["std"],
        squash=data.get("crop_mode") == "squash",
    )  # fmt: skip
    check_preprocessing(name, preprocessing, timm.data.create_transform(**data, is_training=False))
    return wrap(name, network, network, preprocessing, device)


def load_torchvision(rest: str, device: str | None) -> Backbone:
    """`torchvision:MODEL` with its default weights, or `torchvision:MODEL@FILE` for a local state dict."""
    name = f"torchvision:{rest}"
    model_name, _, checkpoint = rest.partition("@")
    import_torchvision()
    models = import_library("torchvision.models", "torchvision")
    state = read_state(name, checkpoint) if checkpoint else None
    transforms = fetch(name, lambda: models.get_model_weights(model_name).DEFAULT.transforms())
    if not hasattr(transforms, "crop_size"):
        raise BackboneError(f"{name}: not an image classifier")
    network = fetch(name, lambda: models.get_model(model_name, weights=None if state is not None else "DEFAULT"))
    _drop_classifier(network)
    if state is not None:
        load_body(name, network, state)
    preprocessing = _preprocessing(
        transforms.resize_size[0], transforms.crop_size[0], transforms.interpolation.value, transforms.mean,
        transforms.std,
    )  # fmt: skip
    check_preprocessing(name, preprocessing, transforms)
    return wrap(name, network, network, preprocessing, device)


def _drop_classifier(network: Any) -> None:
    """Remove the last linear layer, which gives the classes."""
    for head in ("fc", "classifier", "heads", "head"):
        found = getattr(network, head, None)
        if not isinstance(found, torch.nn.Module):
            continue
        parts = dict(found.named_children())
        last = next((key for key in reversed(parts) if isinstance(parts[key], torch.nn.Linear)), None)
        if last is not None:
            setattr(found, last, torch.nn.Identity())
        elif isinstance(found, torch.nn.Linear):
            setattr(network, head, torch.nn.Identity())
        else:
            setattr(network, head, torch.nn.AdaptiveAvgPool2d(1))  # SqueezeNet ends in a convolution
    for auxiliary in ("aux1", "aux2", "AuxLogits"):
        if hasattr(network, auxiliary):
            setattr(network, auxiliary, None)


def load_open_clip(rest: str, device: str | None) -> Backbone:
    """`open_clip:MODEL/PRETRAINED`, where PRETRAINED is a tag or a local file.

    Also `open_clip:local-dir:FOLDER` and `open_clip:hf-hub:REPOSITORY`, with OpenCLIP's own config beside the weights.
    """
    name = f"open_clip:{rest}"
    brings_weights = rest.startswith((LOCAL_FOLDER, "hf-hub:"))
    model_name, _, pretrained = (rest, "", "") if brings_weights else rest.partition("/")
    if not (brings_weights or pretrained):
        raise BackboneError(f"{name}: names no weights: open_clip:MODEL/PRETRAINED, a tag or a local file")
    import_torchvision()
    open_clip = import_library("open_clip", "open_clip_torch")
    model = fetch(
        name, lambda: open_clip.create_model(model_name, pretrained=pretrained or None, require_pretrained=True).eval()
    )
    wanted = open_clip.get_model_preprocess_cfg(model)
    size = wanted["size"]
    side = int(size if isinstance(size, int) else size[0])
    preprocessing = _preprocessing(
        side, side, wanted.get("interpolation") or "bicubic", wanted["mean"], wanted["std"],
        squash=wanted.get("resize_mode") == "squash",
    )  # fmt: skip
    transforms = open_clip.transform
    transform = transforms.image_transform_v2(transforms.PreprocessCfg(**wanted), is_train=False)
    check_preprocessing(name, preprocessing, transform)
    return wrap(name, model.visual, model.encode_image, preprocessing, device)


def load_transformers(rest: str, device: str | None) -> Backbone:
    """`hf:REPOSITORY` or `hf:FOLDER`: the vision tower of CLIP, SigLIP, DINOv2, ViT, ..."""
    name = f"hf:{rest}"
    if rest.startswith(("/", ".", "~")) and not Path(rest).is_dir():
        raise BackboneError(f"{name}: no such folder")
    if has_torchvision():
        import_torchvision()  # transformers imports it too
    transformers = import_library("transformers", "transformers")
    model = _transformers_model(name, transformers, rest)
    newer = int(transformers.__version__.split(".")[0]) >= 5
    pillow = {"backend": "pil"} if newer else {"use_fast": False}
    processor = fetch(
        name, lambda: transformers.AutoImageProcessor.from_pretrained(rest, trust_remote_code=False, **pillow)
    )
    preprocessing = fetch(name, lambda: _processor_preprocessing(processor))
    check_preprocessing(
        name, preprocessing, lambda image: processor(images=image, return_tensors="np")["pixel_values"][0]
    )
    tower = getattr(model, "vision_model", model)

    def pooled(x: torch.Tensor) -> torch.Tensor:
        found = model.get_image_features(pixel_values=x) if hasattr(model, "get_image_features") else None
        if isinstance(found, torch.Tensor):
            return found
        output = found or (model if hasattr(model, "visual_projection") else tower)(pixel_values=x)
        for field in ("image_embeds", "pooler_output"):
            if getattr(output, field, None) is not None:
                features = torch.as_tensor(getattr(output, field))
                return features.flatten(1) if features.shape[2:].numel() == 1 else features
        return torch.as_tensor(output.last_hidden_state[:, 0])

    return wrap(name, model, pooled, preprocessing, device)


def _transformers_model(name: str, transformers: Any, rest: str) -> Any:
    """The model with all its weights: what the library would make up (a pooler that was never trained) is left out."""
    config = fetch(name, lambda: transformers.AutoConfig.from_pretrained(rest, trust_remote_code=False))
    architecture = (getattr(config, "architectures", None) or [""])[0]
    kind = transformers.AutoModel
    if architecture.endswith("VisionModelWithProjection"):
        kind = getattr(transformers, architecture)
    options = {} if kind is not transformers.AutoModel else {"trust_remote_code": False}
    model, loading = fetch(name, lambda: kind.from_pretrained(rest, output_loading_info=True, **options))
    missing = sorted(loading["missing_keys"])
    if missing and all(key.startswith("pooler.") for key in missing):
        model.pooler = None
    elif missing:
        raise BackboneError(f"{name}: its weights lack {len(missing)} of the model's tensors ({missing[0]}, ...)")
    return model


def _processor_preprocessing(processor: Any) -> Preprocessing:
    """What a transformers image processor does, from its numbers."""
    size = dict(processor.size)
    crop = processor.crop_size if getattr(processor, "do_center_crop", False) else None
    shortest = size.get("shortest_edge")
    share = getattr(processor, "crop_pct", None)
    squash = shortest is None
    if share is not None and shortest is not None:  # ConvNeXt: scaled up first, or squashed where it is large
        resize, side, squash = int(shortest / share), int(shortest), shortest >= 384
        resize = side if squash else resize
    else:
        resize = int(shortest or size["height"])
        side = int(crop["height"]) if crop else resize
    mean, std = np.array(processor.image_mean), np.array(processor.image_std)
    if not getattr(processor, "do_normalize", True):
        mean, std = np.zeros(3), np.ones(3)
    rescale = 255 * processor.rescale_factor if getattr(processor, "do_rescale", True) else 255.0
    if rescale != 1.0:
        mean, std = mean / rescale, std / rescale
    method = Image.Resampling(int(processor.resample)).name.lower()
    return _preprocessing(resize, side, method, mean, std, squash, "transformers")


def load_onnx(rest: str, device: str | None) -> Backbone:
    """`onnx:FILE`: one image input (n, 3, H, W), normalised with ImageNet's mean and deviation; the first output."""
    runtime = import_library("onnxruntime", "onnxruntime")
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


def _preprocessing(
    resize: int, crop: int, interpolation: str, mean: Any, std: Any, squash: bool = False, rounding: Any = "torchvision"
) -> Preprocessing:
    red, green, blue = (float(value) for value in mean)
    deviations = tuple(float(value) for value in std)
    return Preprocessing(
        resize, crop, interpolation, (red, green, blue), (deviations[0], deviations[1], deviations[2]), squash, rounding
    )

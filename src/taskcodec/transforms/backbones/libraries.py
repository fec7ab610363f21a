"""What the loaders of other libraries share: importing them, building and checking a model, reading weights files."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from PIL import Image

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.base import Backbone, channels_last, hash_state, pick_device
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import BackboneSpec

CHECK_SIZES = ((301, 200), (190, 190), (97, 260))
"""Width and height of the pictures on which our preprocessing is held against the library's, odd numbers among them."""
CHECK_TOLERANCE = 0.05
"""Largest difference of a normalised pixel: two levels of 256 or so, where a library does not resample with Pillow."""


def import_library(module: str, package: str) -> Any:
    """Import a library, or say how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise BackboneError(f"this backbone needs {package}; run: pip install {package}") from error


def fetch(name: str, make: Callable[[], Any]) -> Any:
    """Build a model; whatever the library raises becomes one line that says what to do."""
    try:
        with _quiet():
            return make()
    except BackboneError:
        raise
    except Exception as error:  # each library raises its own errors for unknown names and for being offline
        raise BackboneError(
            f"{name}: cannot be loaded ({_reason(error)}); check the name, and that this machine is online or has "
            "the weights"
        ) from error


def read_state(name: str, path: str) -> dict[str, torch.Tensor]:
    """The state dict in a weights file (safetensors, or torch.save without code), freed from a trainer's wrappings."""
    if not Path(path).is_file():
        raise BackboneError(f"{name}: no such weights file: {path}")
    try:
        if path.endswith(".safetensors"):
            state: Any = import_module("safetensors.torch").load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken file leads the unpickler to anything
        raise BackboneError(f"{name}: {path} holds no weights that can be read ({type(error).__name__})") from error
    for wrapping in ("state_dict_ema", "model_ema", "state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
            break
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BackboneError(f"{name}: {path} holds no state dict")
    return {re.sub(r"^(_orig_mod\.|module\.)+", "", key): value for key, value in state.items()}


def load_body(name: str, network: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load weights into a network without its head; what the file has beyond the network is that head's."""
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise BackboneError(
            f"{name}: weights of other shapes than the model's ({_reason(error, last=True)})"
        ) from error
    if missing:
        raise BackboneError(f"{name}: the weights file lacks {len(missing)} of the model's tensors ({missing[0]}, ...)")


def check_preprocessing(name: str, ours: Preprocessing, theirs: Callable[[Image.Image], Any]) -> None:
    """Hold our preprocessing against the library's own on made-up pictures. Raises BackboneError where they differ.

    theirs: an RGB image -> normalised (3, H, W).
    """
    generator = np.random.default_rng(0)
    for width, height in CHECK_SIZES:
        image = Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))
        expected = np.asarray(fetch(name, lambda image=image: theirs(image)))  # type: ignore[misc]
        found = ((ours(image) / 255 - np.array(ours.mean)) / np.array(ours.std)).transpose(2, 0, 1)
        if expected.shape != found.shape or np.abs(expected - found).max() > CHECK_TOLERANCE:
            raise BackboneError(
                f"{name}: prepares images in a way that taskcodec does not follow; compute its features yourself and "
                "encode those (.npy, .parquet)"
            )


def wrap(
    name: str,
    module: torch.nn.Module,
    network: Callable[[torch.Tensor], torch.Tensor],
    preprocessing: Preprocessing,
    device: str | None,
) -> Backbone:
    """The backbone of a network (n, 3, H, W) -> (n, d) whose weights are those of `module`."""
    where = pick_device(device)
    # Weights kept in 16 bits are computed with in 32, unless the machine is fast at fewer (`has_fast_bfloat16`).
    channels_last(module.float(), where)
    try:
        with torch.inference_mode():
            sample = network(torch.zeros((1, 3, preprocessing.crop, preprocessing.crop), device=where))
    except Exception as error:  # a model's own complaint about the size of its input, say
        raise BackboneError(
            f"{name}: fails on an image of {preprocessing.crop} x {preprocessing.crop} ({_reason(error)})"
        ) from error
    if sample.ndim != 2:
        raise BackboneError(f"{name}: gives {tuple(sample.shape)} for one image; a backbone gives one vector")
    spec = BackboneSpec(name, hash_state(module.state_dict()), int(sample.shape[1]), preprocessing.to_json())
    return Backbone(spec, preprocessing, network, where)


def _reason(error: Exception, last: bool = False) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shorten(lines[-1 if last else 0], 160, placeholder=" ...")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the libraries log: retries without a network, tensors too many. What matters is dealt with here."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "transformers", "timm", "open_clip")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

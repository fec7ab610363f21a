"""What a training must have in common with the checkpoint that it goes on from, and how far that one is.

A training that went on with other data or views would be recorded as something that it is not.
"""

import hashlib
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.fitting.gradient.compressor import TrainingSet
from taskcodec.fitting.gradient.recipe import Recipe, Schedule

KEY = "taskcodec"
"""Under which a checkpoint carries what `described` gives."""
_MISSING = object()
_UNREADABLE = (
    RuntimeError, EOFError, KeyError, TypeError, AttributeError, ValueError, OSError, NotImplementedError,
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def described(
    data: TrainingSet, recipe: Recipe, schedule: Schedule, provenance: Mapping[str, Any] | None
) -> dict[str, Any]:
    """All that settles where a training goes, as a flat dict: every sample and label counts."""
    parts = {"model": recipe.described(), "training": schedule.described(), **(provenance or {})}
    parts["data"] = {
        "shape": list(data.samples.shape),
        "sha256": _hash(data),
        "preprocessing": dict(data.preprocessing or {}),
        "backbone": None if data.backbone is None else data.backbone.content(),
    }
    return flat(parts)


def read_step(path: Path, expected: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> int:
    """The gradient steps that a checkpoint has behind it.

    Args:
        path: of the checkpoint.
        expected: what `described` gives for the training that is to go on from it.
        weights: of that training, by name: those of the checkpoint must have their names and shapes.

    Raises:
        MismatchError: it is one of another training than the one described; the first key that differs is named.
        CorruptFileError: it cannot be read.
    """
    content = _content(path, "begin anew (--overwrite)")
    try:
        found, step = dict(content[KEY]), int(content["global_step"])
        shapes = {name: tensor.shape for name, tensor in content["state_dict"].items()}
    except _UNREADABLE as error:
        raise CorruptFileError(f"{path}: not a checkpoint that can be read: begin anew (--overwrite)") from error
    for key in [*expected, *found]:
        there, here = (values.get(key, _MISSING) for values in (found, expected))
        if there != here:
            raise MismatchError(
                f"{path}: a checkpoint of another training: {key} is {_short(there)} there and {_short(here)} here; "
                "name another output"
            )
    if shapes != {name: tensor.shape for name, tensor in weights.items()}:
        raise CorruptFileError(
            f"{path}: a checkpoint with other weights than this training has: begin anew (--overwrite)"
        )
    return step


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """All weights of a checkpoint, by name. Raises CorruptFileError where it cannot be read."""
    what = "name the last.ckpt of a training"
    weights = _content(path, what).get("state_dict")
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise CorruptFileError(f"{path}: a checkpoint without weights: {what}")
    return weights


def _content(path: Path, what: str) -> dict[str, Any]:
    """All of a checkpoint. Raises CorruptFileError, which ends with what to do."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load itself checks no sums
            damaged = archive.testzip()
        if damaged is not None:
            raise CorruptFileError(f"{path}: damaged ({damaged}): {what}")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:  # torch's own words advise to load it with pickle
        raise CorruptFileError(f"{path}: not a checkpoint that can be read: {what}") from error
    if not isinstance(content, dict):
        raise CorruptFileError(f"{path}: not a checkpoint that can be read: {what}")
    return content


def _hash(data: TrainingSet) -> str:
    digest = hashlib.sha256()
    for part in (data.samples, data.labels):
        if part is not None:
            digest.update(str((part.dtype, tuple(part.shape))).encode())
            digest.update(part.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}, so that a key that differs can be named."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def _short(value: Any) -> str:
    return "missing" if value is _MISSING else f"{value}"[:40]

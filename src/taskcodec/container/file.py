"""The file that a codec is: safetensors, with a versioned JSON manifest in its metadata and a fingerprint over both.

Needs numpy alone, and knows nothing of what the manifest means: `taskcodec.codec` does, and so does the backbone that
runs the network which a codec carries.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError

FORMAT = "taskcodec.codec"
VERSION = 8
"""The newest version that is read. Version 2 has networks, version 3 coded axes, tables that columns share and features
of norm 1, version 4 layers and places, version 5 pictures, version 6 dependent quantizers, version 7 values that come
back as they were, version 8 layers that are overfitted to each picture; what an older version can
express is written as such."""
MAX_BYTES = 2**30
"""Codec files larger than this are refused: the largest honest one holds two 16-bit matrices, or a large network."""
FOUND_AT = "found_at"
"""Of the manifest, but like the fingerprint no part of the content that the fingerprint is of."""
Tensors = dict[str, npt.NDArray[Any]]


def write(manifest: Mapping[str, Any], tensors: Tensors, found_at: str = "") -> bytes:
    """The bytes of a codec file; the fingerprint is added to the manifest.

    `found_at` says where its backbone was found: beside the content, so that no fingerprint depends on a place.
    """
    beside = {FOUND_AT: found_at} if found_at else {}
    stamped = {**manifest, "fingerprint": fingerprint(manifest, tensors), **beside}
    return save_tensors(tensors, metadata={"taskcodec": canonical(stamped)})


def read(data: bytes, name: str) -> tuple[dict[str, Any], Tensors]:
    """Manifest and tensors; format, version and fingerprint are checked before anything else is made of the content.

    Raises ForeignFileError, FutureVersionError or CorruptFileError; `name` is what their messages call the file.
    """
    if len(data) > MAX_BYTES:
        raise CorruptFileError(f"{name}: {len(data)} bytes is larger than any codec (at most {MAX_BYTES})")
    try:
        manifest, tensors = _parts(data)
    except ValueError as error:
        if b"taskcodec" in data[: 8 + min(int.from_bytes(data[:8], "little"), 2**20)] + data[:4096]:
            raise CorruptFileError(f"{name}: a damaged or truncated codec: {error}") from error
        raise ForeignFileError(
            f"{name}: not a taskcodec codec (expected a safetensors file with our manifest)"
        ) from error
    if manifest["version"] > VERSION:
        raise FutureVersionError(
            f"{name}: codec format version {manifest['version']}, this taskcodec reads up to {VERSION}: upgrade it"
        )
    place, claimed = manifest.pop(FOUND_AT, None), manifest.pop("fingerprint", None)
    found = fingerprint(manifest, tensors)
    if not isinstance(claimed, str):
        raise CorruptFileError(f"{name}: damaged: its header lacks the fingerprint of its content")
    if claimed != found:
        digits = 12 if claimed[:12] != found[:12] else len(found)  # else they would look the same
        raise CorruptFileError(
            f"{name}: damaged: its header has the fingerprint {claimed[:digits]}, its content {found[:digits]}"
        )
    if isinstance(place, str) and isinstance(manifest.get("backbone"), dict):
        manifest["backbone"] = {**manifest["backbone"], FOUND_AT: place}
    return manifest, tensors


def _parts(data: bytes) -> tuple[dict[str, Any], Tensors]:
    """Manifest and tensors of a codec file. Raises ValueError, with the fault in words, where it does not hold them."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 + length:
        raise ValueError(f"its header should end at byte {8 + length:,}, but the file does at {len(data):,}")
    header = _json(data[8 : 8 + length], "its header")
    try:
        manifest = _json(header["__metadata__"]["taskcodec"], "the manifest in its header")
        if manifest["format"] != FORMAT or not isinstance(manifest["version"], int):
            raise KeyError("format")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("its header holds no manifest with our format and a version") from error
    try:
        return manifest, load_tensors(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its tensors do not lie as its header says ({error})") from error


def _json(text: bytes | str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "pos", getattr(error, "start", None))
        raise ValueError(f"{what} is no JSON" + (f" from its character {at} on" if at is not None else "")) from error


def fingerprint(manifest: Mapping[str, Any], tensors: Tensors) -> str:
    """SHA-256 over the canonical content: manifest, then tensors by name. 64 hex digits."""
    digest = hashlib.sha256(canonical(manifest).encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"\n{key} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def canonical(manifest: Mapping[str, Any]) -> str:
    """The one spelling of a manifest that fingerprints are taken of."""
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def finite_tensor(tensors: Tensors, key: str, ndim: int) -> npt.NDArray[np.float32]:
    """A tensor as float32. Raises KeyError where it is missing, CorruptFileError where it is not finite or not flat."""
    tensor = tensors[key].astype(np.float32)
    if tensor.ndim != ndim or not np.isfinite(tensor).all():
        raise CorruptFileError(f"tensor {key} is not a finite array of {ndim} dimension(s)")
    return tensor


def flat_tensor(tensors: Tensors, key: str, dtype: str) -> npt.NDArray[Any]:
    """A tensor of one dimension and exactly this type. Raises KeyError where it is missing, CorruptFileError else."""
    tensor = tensors[key]
    if tensor.ndim != 1 or tensor.dtype.str != dtype:
        raise CorruptFileError(f"tensor {key} is not a flat array of {dtype}, found {tensor.dtype.str} {tensor.shape}")
    return tensor

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
VERSION = 2
"""The newest version that is read. Version 2 has what closed-form codecs do not need; those stay version 1."""
MAX_BYTES = 2**30
"""Codec files larger than this are refused: the largest honest one holds two 16-bit matrices, or a large network."""
Tensors = dict[str, npt.NDArray[Any]]


def write(manifest: Mapping[str, Any], tensors: Tensors) -> bytes:
    """The bytes of a codec file; the fingerprint is added to the manifest."""
    stamped = {**manifest, "fingerprint": fingerprint(manifest, tensors)}
    return save_tensors(tensors, metadata={"taskcodec": canonical(stamped)})


def read(data: bytes, name: str) -> tuple[dict[str, Any], Tensors]:
    """Manifest and tensors; format, version and fingerprint are checked before anything else is made of the content.

    Raises ForeignFileError, FutureVersionError or CorruptFileError; `name` is what their messages call the file.
    """
    if len(data) > MAX_BYTES:
        raise CorruptFileError(f"{name}: {len(data)} bytes is larger than any codec (at most {MAX_BYTES})")
    header_bytes = int.from_bytes(data[:8], "little")
    looks_ours = b"taskcodec" in data[8 : 8 + min(max(header_bytes, 0), 2**20)]
    try:
        header = json.loads(data[8 : 8 + header_bytes])
        manifest = json.loads(header["__metadata__"]["taskcodec"])
        tensors = load_tensors(data)
        if manifest["format"] != FORMAT or not isinstance(manifest["version"], int):
            raise KeyError("format")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if looks_ours or b"taskcodec" in data[:4096]:
            raise CorruptFileError(f"{name}: a damaged or truncated codec ({type(error).__name__})") from error
        raise ForeignFileError(
            f"{name}: not a taskcodec codec (expected a safetensors file with our manifest)"
        ) from error
    if manifest["version"] > VERSION:
        raise FutureVersionError(
            f"{name}: codec format version {manifest['version']}, this taskcodec reads up to {VERSION}: upgrade it"
        )
    claimed = manifest.pop("fingerprint", None)
    found = fingerprint(manifest, tensors)
    if claimed != found:
        raise CorruptFileError(f"{name}: damaged: fingerprint {str(claimed)[:12]} expected, {found[:12]} found")
    return manifest, tensors


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

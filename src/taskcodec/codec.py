"""`Codec`: everything needed to go from features to bytes and back, as one artefact.

    features (n, d) --analyse--> latent (n, k) --quantize--> symbols (n, k) --tables--> bytes     encode, compress
    features (n, d) <-synthesise- latent (n, k) <-dequantize- symbols (n, k) <--tables-- bytes     decode, decompress

A codec is saved as one safetensors file. Its metadata is a versioned JSON manifest, its tensors are the transform, the
frozen integer tables, the reconstruction points and a sketch of the latent's density (from which the fitting floor can
derive the same codec at another step). Loading runs no code from the file and needs only numpy.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from taskcodec.coding import Tables, decode_sample, encode_sample
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError, MismatchError, SourceError
from taskcodec.quantization.uniform import dequantize, quantize
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.spec import BackboneSpec

FORMAT = "taskcodec.codec"
VERSION = 1
MAX_BYTES = 2**30
"""Codec files larger than this are refused: the largest honest one holds two 16-bit matrices."""
BUNDLED = ("lite0",)
"""Names of the codecs shipped in the package."""


@dataclass(frozen=True, eq=False)
class Codec:
    """A transform, a step and frozen tables; how to fit one is in `taskcodec.fitting`.

    >>> import numpy as np, taskcodec
    >>> codec = taskcodec.fit(np.random.default_rng(0).normal(size=(500, 32)).astype("f4"), bits=64)
    >>> sample = codec.compress(np.zeros(32, "f4"))
    >>> codec.decompress(sample).shape
    (32,)
    """

    transform: AffineTransform
    step: float
    rounding: float
    tables: Tables
    points: npt.NDArray[np.float32]
    sketch: npt.NDArray[np.float32]
    backbone: BackboneSpec | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        k = self.transform.columns
        if self.tables.columns != k or self.sketch.ndim != 2 or self.sketch.shape[1] != k:
            raise CorruptFileError(f"the tables or the sketch of the codec do not have its {k} columns")
        if self.points.shape != (int(self.tables.sizes.sum()),):
            raise CorruptFileError("the reconstruction points of the codec do not fit its tables")
        if not (math.isfinite(self.step) and self.step > 0 and 0 <= self.rounding <= 0.5):
            raise CorruptFileError(f"step {self.step} and rounding {self.rounding} are not a quantizer's")
        if self.backbone is not None and self.backbone.dimension != self.dimension:
            raise CorruptFileError(f"the backbone gives {self.backbone.dimension} features, not {self.dimension}")

    @property
    def dimension(self) -> int:
        """d, the number of features of a sample."""
        return self.transform.dimension

    @property
    def columns(self) -> int:
        """k, the number of symbols of a sample."""
        return self.transform.columns

    def encode(self, features: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """(n, d) features -> (n, k) symbols. Raises MismatchError on another dimension or on NaN or infinity."""
        x = np.asarray(features, dtype=np.float32)
        if not np.isfinite(x).all():
            raise MismatchError("features hold NaN or infinity: nothing sensible can be coded")
        return quantize(self.transform.analyse(x), self.step, self.rounding)

    def decode(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, k) symbols -> (n, d) features, float32."""
        s = np.asarray(symbols, dtype=np.int32)
        if s.ndim != 2 or s.shape[1] != self.columns:
            raise MismatchError(f"expected symbols of shape (n, {self.columns}), found {s.shape}")
        return self.transform.synthesise(dequantize(s, self.step, self.tables, self.points))

    def compress(self, sample: Any) -> Any:
        """One sample -> bytes, or a list (or 2-d array) of samples -> a list of bytes.

        A sample is a feature vector (d,) (array or tensor); of a codec with a backbone also an image: a path, a
        PIL image or an (H, W, 3) uint8 array. Each result is a stand-alone bitstream with its own check value.
        """
        batch = _as_batch(sample)
        if batch is None:
            return self.compress([sample])[0]
        features = self._features_of(batch)
        return [encode_sample(row, self.tables) for row in self.encode(features)]

    def decompress(self, data: Any) -> Any:
        """Invert `compress`: bytes -> (d,) features, or a list of bytes -> (n, d)."""
        if isinstance(data, bytes | bytearray | memoryview):
            return self.decompress([data])[0]
        symbols = [decode_sample(bytes(item), self.tables) for item in data]
        return self.decode(np.stack(symbols) if symbols else np.empty((0, self.columns), np.int32))

    def _features_of(self, batch: list[Any]) -> npt.NDArray[np.float32]:
        if not batch:
            return np.empty((0, self.dimension), np.float32)
        vectors = [np.asarray(item) if _is_array(item) else None for item in batch]
        if all(v is not None and v.ndim == 1 for v in vectors):
            try:
                return np.stack([np.asarray(v, dtype=np.float32) for v in vectors])
            except ValueError as error:
                raise MismatchError(f"feature vectors of one length are expected: {error}") from error
        if self.backbone is None:
            raise MismatchError(f"this codec has no backbone: it takes feature vectors of {self.dimension} numbers")
        # Imported here so that decoding, and coding features, never imports torch.
        from taskcodec.transforms.backbones import load_backbone_for

        backbone = load_backbone_for(self.backbone)
        return np.asarray(backbone(np.stack([backbone.preprocess(item) for item in batch])), dtype=np.float32)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical content: manifest without fingerprint, then tensors by name. 64 hex digits."""
        return _fingerprint(self._manifest(), self._tensors())

    def to_bytes(self) -> bytes:
        """The codec as the bytes of a safetensors file."""
        manifest = {**self._manifest(), "fingerprint": self.fingerprint}
        return save_tensors(self._tensors(), metadata={"taskcodec": _canonical(manifest)})

    def save(self, path: str | Path) -> None:
        """Write the codec's file."""
        Path(path).write_bytes(self.to_bytes())

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "transform": {"kind": "affine", "companding": self.transform.companding},
            "quantizer": {"kind": "uniform", "step": float(self.step), "rounding": float(self.rounding)},
            "backbone": None if self.backbone is None else vars(self.backbone),
            "provenance": dict(self.provenance),
        }

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        tensors: dict[str, npt.NDArray[Any]] = {
            "centre": self.transform.centre.astype("<f4"),
            "scale": self.transform.scale.astype("<f4"),
            "tables": np.frombuffer(self.tables.to_bytes(), dtype=np.uint8),
            "points": self.points.astype("<f2"),
            "sketch": self.sketch.astype("<f2"),
        }
        if self.transform.analysis_matrix is not None and self.transform.synthesis_matrix is not None:
            tensors["analysis"] = self.transform.analysis_matrix.astype("<f2")
            tensors["synthesis"] = self.transform.synthesis_matrix.astype("<f2")
        # safetensors writes the buffer as it lies: it must lie in C order.
        return {key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "codec") -> "Codec":
        """Read a codec; `name` is what error messages call it.

        Raises ForeignFileError, FutureVersionError or CorruptFileError.
        """
        if len(data) > MAX_BYTES:
            raise CorruptFileError(f"{name}: {len(data)} bytes is larger than any codec (at most {MAX_BYTES})")
        manifest, tensors = _parse(data, name)
        try:
            backbone = manifest["backbone"]
            codec = cls(
                transform=AffineTransform(
                    companding=manifest["transform"]["companding"],
                    centre=_tensor(tensors, "centre", 1),
                    scale=_tensor(tensors, "scale", 1),
                    analysis_matrix=_tensor(tensors, "analysis", 2) if "analysis" in tensors else None,
                    synthesis_matrix=_tensor(tensors, "synthesis", 2) if "synthesis" in tensors else None,
                ),
                step=float(manifest["quantizer"]["step"]),
                rounding=float(manifest["quantizer"]["rounding"]),
                tables=Tables.from_bytes(tensors["tables"].tobytes()),
                points=_tensor(tensors, "points", 1),
                sketch=_tensor(tensors, "sketch", 2),
                backbone=None if backbone is None else BackboneSpec(**backbone),
                provenance=_object(manifest["provenance"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptFileError(f"{name}: the codec lacks or mangles {error}") from error
        except CorruptFileError as error:
            raise CorruptFileError(f"{name}: {error}") from error
        return codec


def load_codec(path: str | Path) -> Codec:
    """Load a codec from its file, from a store's folder, or by the name of a bundled one ("lite0").

    Raises SourceError when there is no such file; ForeignFileError, FutureVersionError, CorruptFileError as found.
    """
    if str(path) in BUNDLED and not Path(path).exists():
        data = resources.files("taskcodec").joinpath(f"bundled/{path}.codec").read_bytes()
        return Codec.from_bytes(data, name=f"bundled codec {path}")
    file = Path(path)
    if file.is_dir():
        file = file / "codec.safetensors"
        if not file.exists():
            raise ForeignFileError(f"{path}: a folder without codec.safetensors is not a taskcodec store")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise CorruptFileError(f"{path}: larger than any codec (at most {MAX_BYTES} bytes)")
        return Codec.from_bytes(file.read_bytes(), name=str(path))
    except FileNotFoundError as error:
        names = ", ".join(BUNDLED)
        raise SourceError(f"{path}: no such codec file, nor a bundled codec ({names})") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error


def _parse(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Check format, version and fingerprint before anything else is made of the content."""
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
    found = _fingerprint(manifest, tensors)
    if claimed != found:
        raise CorruptFileError(f"{name}: damaged: fingerprint {str(claimed)[:12]} expected, {found[:12]} found")
    return manifest, tensors


def _fingerprint(manifest: dict[str, Any], tensors: dict[str, npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256(_canonical(manifest).encode())
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"\n{key} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def _canonical(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _tensor(tensors: dict[str, npt.NDArray[Any]], key: str, ndim: int) -> npt.NDArray[np.float32]:
    tensor = tensors[key].astype(np.float32)
    if tensor.ndim != ndim or not np.isfinite(tensor).all():
        raise CorruptFileError(f"tensor {key} is not a finite array of {ndim} dimension(s)")
    return tensor


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object: found {type(value).__name__}")
    return value


def _is_array(item: Any) -> bool:
    return isinstance(item, np.ndarray) or (hasattr(item, "__array__") and hasattr(item, "ndim"))


def _as_batch(sample: Any) -> list[Any] | None:
    """The list of samples that `sample` stands for, or None where it is a single one."""
    if isinstance(sample, list | tuple):
        return [np.asarray(s) if isinstance(s, list | tuple) else s for s in sample]
    if _is_array(sample) and (sample.ndim == 2 or sample.ndim == 4):
        return list(sample)
    return None

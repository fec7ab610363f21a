"""`Codec`: everything needed to go from features to bytes and back, as one artefact.

    features (n, d) --analyse--> latent (n, k) --quantize--> symbols (n, k) --tables--> bytes     encode, compress
    features (n, d) <-synthesise- latent (n, k) <-dequantize- symbols (n, k) <--tables-- bytes     decode, decompress

A codec is saved as one safetensors file. Its metadata is a versioned JSON manifest, its tensors are the transform, the
frozen integer tables, the reconstruction points and a sketch of the latent's density (from which the fitting floor can
derive the same codec at another step). Loading runs no code from the file and needs only numpy. A learned codec carries
networks too: its features are what its analysis network g_a makes of a sample, and decoding still needs only numpy.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec import codec_file
from taskcodec.atomic import replacing
from taskcodec.codec_parts import (
    plain_tensors,
    read_coding,
    read_transform,
    shared_tensors,
    transform_manifest,
    transform_tensors,
)
from taskcodec.coding import AnyTables, SharedTables, Tables, decode_sample, encode_sample
from taskcodec.errors import CorruptFileError, MismatchError, needing_packages
from taskcodec.quantization.uniform import HasRuns, Runs, dequantize, quantize
from taskcodec.samples import are_images, as_features, batch_of, preprocessed, settled, stacked
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.spec import BackboneSpec


@dataclass(frozen=True, eq=False, repr=False)
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
    tables: AnyTables
    points: npt.NDArray[np.float32]
    sketch: npt.NDArray[np.float32]
    backbone: BackboneSpec | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    networks: Networks | None = None
    point_runs: Runs | None = None
    shares: SharedTables | None = None
    """Which columns have one table and its points, and the file holds each once; None: all have their own."""

    def __post_init__(self) -> None:
        k = self.transform.columns
        if self.columns - self.tables.side_columns != k or self.sketch.ndim != 2 or self.sketch.shape[1] != k:
            raise CorruptFileError(f"the tables or the sketch of the codec do not have its {k} columns")
        runs = self.runs
        if runs.sizes.shape != (k,) or self.points.shape != (int(runs.sizes.sum(dtype=np.int64)),):
            raise CorruptFileError("the reconstruction points of the codec do not fit its tables")
        if self.shares is not None and (self.point_runs is not None or not self.shares.are(self.tables)):
            raise CorruptFileError("the tables that columns of the codec share are not those they have")
        if not (math.isfinite(self.step) and self.step > 0 and 0 <= self.rounding <= 0.5):
            raise CorruptFileError(f"step {self.step} and rounding {self.rounding} are not a quantizer's")
        if self.backbone is not None and self.backbone.dimension != self.inputs:
            raise CorruptFileError(f"the backbone gives {self.backbone.dimension} features, not {self.inputs}")

    def __getstate__(self) -> dict[str, Any]:
        # Running networks cannot all be pickled, and lie on a device; a copy makes its own.
        return {name: value for name, value in vars(self).items() if name not in ("_run_g_a", "_backbone")}

    def __repr__(self) -> str:
        backbone = "no backbone" if self.backbone is None else f"backbone {self.backbone.name}"
        return (
            f"<taskcodec codec {self.fingerprint[:12]}: {self.dimension} features, {self.columns} columns, "
            f"step {self.step:.4g}, {backbone}>"
        )

    @property
    def dimension(self) -> int:
        """d, the number of features of a sample."""
        return self.transform.dimension

    @property
    def g_a(self) -> Network | None:
        """The learned analysis network that the codec carries, if any."""
        return None if self.networks is None else self.networks.g_a

    @property
    def inputs(self) -> int | None:
        """Length of the vectors that `compress` takes: d, or what g_a reads; None where g_a reads images."""
        return self.dimension if self.networks is None or self.g_a is None else self.networks.inputs

    @property
    def columns(self) -> int:
        """The number of symbols of a sample: k, and before them those of its side information, where it has any."""
        return self.tables.columns

    @property
    def runs(self) -> HasRuns:
        """The symbols that have a reconstruction point: those in the tables, or of `point_runs` where it is given."""
        if self.point_runs is not None:
            return self.point_runs
        none = np.zeros(self.transform.columns, np.int32)
        return self.tables if isinstance(self.tables, Tables) else Runs(none, none)

    def encode(self, features: Any) -> npt.NDArray[np.int32]:
        """(n, d) features -> (n, columns) symbols. Raises MismatchError on another dimension or on NaN or infinity.

        Features come in any form that `compress` takes many vectors in; instead of them also images, one or many, as
        `compress` takes them; one gives one row.
        """
        given = settled(features)
        images = are_images(given, self._takes_images)
        x = self.analyse(self._batch(given) or [given]) if images else as_features(given)
        if not np.isfinite(x).all():
            raise MismatchError("features hold NaN or infinity: nothing sensible can be coded")
        return self.tables.with_side(quantize(self.transform.analyse(x), self.step, self.rounding))

    def decode(self, symbols: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, columns) symbols -> (n, d) features, float32."""
        s = np.asarray(symbols, dtype=np.int32)
        if s.ndim != 2 or s.shape[1] != self.columns:
            raise MismatchError(f"expected symbols of shape (n, {self.columns}), found {s.shape}")
        latent = dequantize(s[:, self.tables.side_columns :], self.step, self.runs, self.points)
        return self.transform.synthesise(latent)

    def compress(self, sample: Any) -> Any:
        """One sample -> bytes, or many samples -> a list of bytes.

        A sample is a feature vector (d,): an array or tensor of any library; of a codec with a backbone also an image:
        a path, the bytes of a file, a file open for reading (it is left as it was), a PIL image, a uint8 array
        (H, W, 3), (H, W, 1) or (H, W), or a tensor (3, H, W) or (1, H, W), uint8 or floats in [0, 1]. Many are any
        sequence or iterator of samples, a data frame, the rows of a store, or an array with one axis more: a 4-d array
        or tensor is a batch of images; a 2-d one of uint8 is one grey image where the codec takes images.

        Each result is a stand-alone bitstream with its own check value: it takes about 24 bits more than the rate (16
        of them the check), a sample in a store next to nothing more. Raises MismatchError on what is no sample of this
        codec, SourceError on an image that cannot be read, UsageError where a package that images need is missing.
        """
        given = settled(sample)
        batch = self._batch(given)
        if batch is None:
            return self.compress([given])[0]
        features = self.analyse(batch)
        return [encode_sample(row, self.tables) for row in self.encode(features)]

    def decompress(self, data: Any) -> Any:
        """Invert `compress`: bytes -> (d,) features, or a list of bytes -> (n, d)."""
        if isinstance(data, bytes | bytearray | memoryview):
            return self.decompress([data])[0]
        symbols = [decode_sample(bytes(item), self.tables) for item in data]
        return self.decode(np.stack(symbols) if symbols else np.empty((0, self.columns), np.int32))

    def analyse(self, batch: list[Any]) -> npt.NDArray[np.float32]:
        """Samples, as `compress` takes them -> (n, d) features: what the backbone, g_a or both make of them."""
        batch = settled(batch)
        if not batch:
            return np.empty((0, self.dimension), np.float32)
        if any(isinstance(item, int | float) or getattr(item, "ndim", None) == 0 for item in batch):
            raise MismatchError(
                "a list is a list of samples, and a number is none: give "
                + ("each sample" if self.inputs is None else f"a feature vector of {self.inputs} numbers")
                + " as an array"
            )
        vectors = None if self.inputs is None else stacked(batch)
        if vectors is not None:
            return self._of_vectors(vectors)
        if not self._takes_images:
            raise MismatchError(f"this codec has no backbone: it takes feature vectors of {self.inputs} numbers")
        backbone = self._backbone
        pixels = np.stack([preprocessed(item, backbone.preprocess) for item in batch])
        return np.asarray(backbone(pixels), dtype=np.float32)

    def synthesise(self, features: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, d) decoded features -> (n, ...) what g_s makes of them: pictures in [0, 1], or vectors. Needs torch.

        Raises MismatchError where the codec has no g_s, and on another dimension.
        """
        if self.networks is None or self.networks.g_s is None:
            raise MismatchError("this codec carries no synthesis network: its features are what predictors read")
        x = as_features(features)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise MismatchError(f"expected decoded features of shape (n, {self.dimension}), found {x.shape}")
        with needing_packages():
            from taskcodec.transforms.backbones.learned import on_vectors

        return on_vectors(self.networks.g_s)(x)

    def for_store(self, name: str) -> "Codec":
        """The copy that a store keeps: without g_a, which decoding never needs; `name` says where to find it."""
        if self.networks is None or self.networks.g_a is None:
            return self
        from taskcodec.transforms.backbones.learned import spec_of

        return replace(self, backbone=spec_of(self.networks, self.backbone, name), networks=self.networks.for_store())

    @property
    def _takes_images(self) -> bool:
        return self.backbone is not None or (self.networks is not None and self.networks.takes_images)

    def _batch(self, given: Any) -> list[Any] | None:
        return batch_of(given, vectors=self.inputs is not None, images=self._takes_images)

    def _of_vectors(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self.g_a is None:
            return vectors
        if vectors.shape[1] != self.inputs:
            raise MismatchError(f"expected vectors of {self.inputs} numbers, found {vectors.shape[1]}")
        return np.asarray(self._run_g_a(vectors), dtype=np.float32)

    # Imported where they are needed, so that decoding, and coding features, never imports torch.
    @cached_property
    def _run_g_a(self) -> Any:
        with needing_packages():
            from taskcodec.transforms.backbones.learned import on_vectors

        assert self.g_a is not None
        return on_vectors(self.g_a)

    @cached_property
    def _backbone(self) -> Any:
        with needing_packages():
            from taskcodec.transforms.backbones import load_backbone_for
            from taskcodec.transforms.backbones.load import analysis_of

        if self.networks is not None and self.g_a is not None:
            return analysis_of(self.networks, self.backbone, "codec")
        assert self.backbone is not None
        return load_backbone_for(self.backbone)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical content: manifest without fingerprint, then tensors by name. 64 hex digits."""
        return codec_file.fingerprint(self._manifest(), self._tensors())

    def to_bytes(self) -> bytes:
        """The codec as the bytes of a safetensors file."""
        return codec_file.write(self._manifest(), self._tensors())

    def save(self, path: str | Path) -> None:
        """Write the codec's file, whole or not at all. Raises StorageError where it cannot be written."""
        with replacing(path) as temporary:
            temporary.write_bytes(self.to_bytes())

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": codec_file.FORMAT,
            "version": self._version,
            "transform": transform_manifest(self.transform, self._version),
            "quantizer": {"kind": "uniform", "step": float(self.step), "rounding": float(self.rounding)},
            "backbone": None if self.backbone is None else vars(self.backbone),
            "provenance": dict(self.provenance),
            **({} if self.networks is None else {"networks": self.networks.manifest()}),
        }

    @property
    def _version(self) -> int:
        """The oldest version of the format that can express this codec."""
        if self.shares is not None or self.transform.axes is not None or self.transform.unit_norm:
            return 3
        return 1 if self.networks is None and self.point_runs is None and isinstance(self.tables, Tables) else 2

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        tensors = transform_tensors(self.transform, self._version)
        if self.shares is None:
            tensors.update(plain_tensors(self.tables, self.points, self.sketch))
        else:
            tensors.update(shared_tensors(self.shares, self.points, self.sketch))
        if self.point_runs is not None:
            tensors["point_runs"] = np.stack([self.point_runs.first, self.point_runs.sizes]).astype("<i4")
        if self.networks is not None:
            tensors.update(self.networks.tensors())
        # safetensors writes the buffer as it lies: it must lie in C order.
        return {key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "codec") -> "Codec":
        """Read a codec; `name` is what error messages call it.

        Raises ForeignFileError, FutureVersionError or CorruptFileError.
        """
        manifest, tensors = codec_file.read(data, name)
        try:
            backbone = manifest["backbone"]
            tables, shares, points, sketch = read_coding(tensors)
            codec = cls(
                transform=read_transform(manifest, tensors),
                step=float(manifest["quantizer"]["step"]),
                rounding=float(manifest["quantizer"]["rounding"]),
                tables=tables,
                points=points,
                shares=shares,
                sketch=sketch,
                backbone=None if backbone is None else BackboneSpec(**backbone),
                provenance=_object(manifest["provenance"]),
                networks=Networks.read(manifest["networks"], tensors) if "networks" in manifest else None,
                point_runs=Runs(*tensors["point_runs"].astype(np.int32)) if "point_runs" in tensors else None,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptFileError(f"{name}: the codec lacks or mangles {error}") from error
        except CorruptFileError as error:
            raise CorruptFileError(f"{name}: {error}") from error
        return codec


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object: found {type(value).__name__}")
    return value

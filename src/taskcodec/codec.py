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
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec import codec_file
from taskcodec.codec_file import MAX_BYTES, finite_tensor
from taskcodec.coding import MAX_COLUMNS, AnyTables, Tables, decode_sample, encode_sample, read_tables, runs_index
from taskcodec.errors import CorruptFileError, ForeignFileError, MismatchError, SourceError, needing_packages
from taskcodec.quantization.uniform import HasRuns, Runs, dequantize, quantize
from taskcodec.store.atomic import replacing
from taskcodec.store.backend import is_zip, open_blobs
from taskcodec.store.manifest import CODEC_KEY
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import MAX_NUMBERS, Axes
from taskcodec.transforms.carried import Network, Networks
from taskcodec.transforms.spec import BackboneSpec

BUNDLED = ("lite0",)
"""Names of the codecs shipped in the package."""


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
    shares: npt.NDArray[np.int32] | None = None
    """(k,) columns of one number have one table and its points, and the file holds each once; None: all differ."""

    def __post_init__(self) -> None:
        k = self.transform.columns
        if self.columns - self.tables.side_columns != k or self.sketch.ndim != 2 or self.sketch.shape[1] != k:
            raise CorruptFileError(f"the tables or the sketch of the codec do not have its {k} columns")
        runs = self.runs
        if runs.sizes.shape != (k,) or self.points.shape != (int(runs.sizes.sum(dtype=np.int64)),):
            raise CorruptFileError("the reconstruction points of the codec do not fit its tables")
        if self.shares is not None and (self.shares.shape != (k,) or not isinstance(self.tables, Tables)):
            raise CorruptFileError(f"the codec does not say of each of its {k} columns which table it has")
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

        Instead of features also images, one or a list, as `compress` takes them; one gives one row.
        """
        x = self.analyse(self._batch(features) or [features]) if self._are_images(features) else as_features(features)
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
        """One sample -> bytes, or a list (or 2-d array) of samples -> a list of bytes.

        A sample is a feature vector (d,) (array or tensor); of a codec with a backbone also an image: a path, the bytes
        of a file, a PIL image, a uint8 array (H, W, 3), (H, W, 1) or (H, W), or a tensor (3, H, W) or (1, H, W), uint8
        or floats in [0, 1]. A 4-d array or tensor is a batch of images; a 2-d one of uint8 is one grey image where the
        codec takes images. Each result is a stand-alone bitstream with its own check value. Raises UsageError where a
        package that images need is not installed.
        """
        batch = self._batch(sample)
        if batch is None:
            return self.compress([sample])[0]
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
        if not batch:
            return np.empty((0, self.dimension), np.float32)
        if any(isinstance(item, int | float) or getattr(item, "ndim", None) == 0 for item in batch):
            raise MismatchError(
                "a list is a list of samples, and a number is none: give "
                + ("each sample" if self.inputs is None else f"a feature vector of {self.inputs} numbers")
                + " as an array"
            )
        if self.inputs is not None and all(_is_array(item) and item.ndim == 1 for item in batch):
            try:
                stacked = np.stack([np.asarray(_plain(item), dtype=np.float32) for item in batch])
            except ValueError as error:
                raise MismatchError(f"feature vectors of one length are expected: {error}") from error
            return self._of_vectors(stacked)
        if not self._takes_images:
            raise MismatchError(f"this codec has no backbone: it takes feature vectors of {self.inputs} numbers")
        backbone = self._backbone
        return np.asarray(backbone(np.stack([_preprocessed(item, backbone) for item in batch])), dtype=np.float32)

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

    def _are_images(self, samples: Any) -> bool:
        items = samples if isinstance(samples, list | tuple) else [samples]
        return any(_is_image(item) or (self._takes_images and _is_grey_image(item)) for item in items)

    def _batch(self, sample: Any) -> list[Any] | None:
        """The list of samples that `sample` stands for, or None where it is a single one."""
        if isinstance(sample, list | tuple):
            return [np.asarray(s) if isinstance(s, list | tuple) else s for s in sample]
        if not _is_array(sample):
            return None
        one_image = self.inputs is None or (self._takes_images and _is_grey_image(sample))
        return list(sample) if sample.ndim == 4 or (sample.ndim == 2 and not one_image) else None

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
            from taskcodec.transforms.backbones.learned import backbone_of

        if self.networks is not None and self.g_a is not None:
            return backbone_of(self.networks, self.backbone, "codec")
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
        marks = {"unit_norm": self.transform.unit_norm, "unit_scale": self._unit_scale}
        transform = {"kind": "affine", "companding": self.transform.companding}
        return {
            "format": codec_file.FORMAT,
            "version": self._version,
            "transform": {**transform, **{mark: True for mark, found in marks.items() if found}},
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

    @property
    def _unit_scale(self) -> bool:
        """Whether the file says that every scale is 1 instead of holding them."""
        return self._version > 2 and bool((self.transform.scale == 1).all())

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        transform, tables, points = self.transform, self.tables, self.points
        tensors: dict[str, npt.NDArray[Any]] = {
            "centre": transform.centre.astype("<f4"),
            "scale": transform.scale.astype("<f4"),
            "sketch": self.sketch.astype("<f2"),
        }
        if self._version > 2:
            with np.errstate(over="ignore"):
                narrow = transform.centre.astype("<f2")
            if np.array_equal(narrow, transform.centre):
                tensors["centre"] = narrow
            if self._unit_scale:
                del tensors["scale"]
        if transform.axes is not None:
            tensors["axes"] = np.frombuffer(transform.axes.to_bytes(), dtype=np.uint8)
            tensors["axes_exponents"] = transform.axes.exponents.astype("|i1")
        if self.shares is not None and isinstance(tables, Tables):
            _, first = np.unique(self.shares, return_index=True)
            tensors["sketch"] = tensors["sketch"][:, first]
            points = points[runs_index(tables.sizes.astype(np.int64), first)]
            tables, tensors["shares"] = tables.take(first), self.shares.astype("<u2")
        tensors["tables"] = np.frombuffer(tables.to_bytes(), dtype=np.uint8)
        tensors["points"] = points.astype("<f2")
        if self.transform.analysis_matrix is not None and self.transform.synthesis_matrix is not None:
            tensors["analysis"] = self.transform.analysis_matrix.astype("<f2")
            tensors["synthesis"] = self.transform.synthesis_matrix.astype("<f2")
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
            tables, points = read_tables(tensors["tables"].tobytes()), finite_tensor(tensors, "points", 1)
            sketch, shares = finite_tensor(tensors, "sketch", 2), None
            if "shares" in tensors:
                shares = tensors["shares"].astype(np.int32)
                tables, points, sketch = _spread(tables, points, sketch, shares)
            codec = cls(
                transform=_read_transform(manifest, tensors),
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


def _read_transform(manifest: Mapping[str, Any], tensors: codec_file.Tensors) -> AffineTransform:
    described, centre, axes = _object(manifest["transform"]), finite_tensor(tensors, "centre", 1), None
    unit_norm, unit_scale = (described.get(mark, False) for mark in ("unit_norm", "unit_scale"))
    if type(unit_norm) is not bool or type(unit_scale) is not bool:
        raise TypeError("a mark of its transform, which should be true or false")
    if "axes" in tensors:
        axes = Axes.from_bytes(tensors["axes"].tobytes(), tensors["axes_exponents"].astype(np.int8), centre.size)
    if unit_scale:
        scale = np.ones(centre.size if axes is None else axes.columns, np.float32)
    else:
        scale = finite_tensor(tensors, "scale", 1)
    return AffineTransform(
        companding=described["companding"],
        centre=centre,
        scale=scale,
        analysis_matrix=finite_tensor(tensors, "analysis", 2) if "analysis" in tensors else None,
        synthesis_matrix=finite_tensor(tensors, "synthesis", 2) if "synthesis" in tensors else None,
        axes=axes,
        unit_norm=unit_norm,
    )


def _spread(
    tables: AnyTables, points: npt.NDArray[np.float32], sketch: npt.NDArray[np.float32], shares: npt.NDArray[np.int32]
) -> tuple[Tables, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Tables, points and sketch of every column, from those that columns share."""
    if not isinstance(tables, Tables) or shares.ndim != 1 or shares.size > MAX_COLUMNS:
        raise CorruptFileError("tables that columns share are plain ones, and every column names one")
    numbers, index = np.unique(shares, return_inverse=True)
    sizes = tables.sizes.astype(np.int64)
    if not len(numbers) == tables.columns == sketch.shape[1] or points.size != int(sizes.sum()):
        raise CorruptFileError(f"{tables.columns} tables, of which {len(numbers)} are named by a column")
    if max(int((sizes[index] + 1).sum()), len(sketch) * len(index)) > MAX_NUMBERS:
        raise CorruptFileError("tables: larger than any of ours")
    return tables.take(index), points[runs_index(sizes, index)], sketch[:, index]


def load_codec(path: str | Path) -> Codec:
    """Load a codec from its file, from a store (folder, zip file or URL), or by the name of a bundled one ("lite0").

    Raises SourceError when there is no such file; ForeignFileError, FutureVersionError, CorruptFileError as found.
    """
    if str(path) in BUNDLED and not Path(path).exists():
        data = resources.files("taskcodec").joinpath(f"bundled/{path}.codec").read_bytes()
        return Codec.from_bytes(data, name=f"bundled codec {path}")
    file = Path(path)
    if "://" in str(path) or file.is_dir() or (file.is_file() and is_zip(file)):
        found = open_blobs(path if "://" in str(path) else file).get(CODEC_KEY)
        if found is None:
            raise ForeignFileError(f"{path}: without {CODEC_KEY}, it is not a taskcodec store")
        return Codec.from_bytes(found, name=f"{path}/{CODEC_KEY}")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise CorruptFileError(f"{path}: larger than any codec (at most {MAX_BYTES} bytes)")
        return Codec.from_bytes(file.read_bytes(), name=str(path))
    except FileNotFoundError as error:
        names = ", ".join(BUNDLED)
        raise SourceError(f"{path}: no such codec file, nor a bundled codec ({names})") from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error


def as_features(features: Any) -> npt.NDArray[np.float32]:
    """An array, a tensor or lists of numbers as float32. Raises MismatchError where they are no array of numbers."""
    try:
        return np.asarray(_plain(features), dtype=np.float32)
    except ValueError as error:
        raise MismatchError(f"features should be an (n, d) array of numbers: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object: found {type(value).__name__}")
    return value


def _is_array(item: Any) -> bool:
    return isinstance(item, np.ndarray) or (hasattr(item, "__array__") and hasattr(item, "ndim"))


def _plain(item: Any) -> Any:
    """A tensor, wherever it lies and whatever tracks it, as one that numpy reads; anything else as it is."""
    if not (_is_array(item) and hasattr(item, "detach")):
        return item
    tensor = item.detach().cpu()
    return tensor.float() if tensor.is_floating_point() else tensor  # numpy has no bfloat16


def _preprocessed(image: Any, backbone: Any) -> npt.NDArray[np.uint8]:
    """An image as its backbone takes it. Raises SourceError, with the name of a file."""
    try:
        return np.asarray(backbone.preprocess(image))
    except SourceError as error:
        raise SourceError(f"{image}: {error}" if isinstance(image, str | PathLike) else str(error)) from error


def _is_grey_image(item: Any) -> bool:
    """Whether it is a matrix of bytes, as an array or a tensor: pixels, hardly rows of features."""
    return _is_array(item) and item.ndim == 2 and str(item.dtype).removeprefix("torch.") == "uint8"


def _is_image(item: Any) -> bool:
    """Whether it can only be an image; the last is how a PIL image shows without Pillow."""
    if _is_array(item):
        return bool(item.ndim > 2)
    return isinstance(item, str | bytes | PathLike) or hasattr(item, "getbands")

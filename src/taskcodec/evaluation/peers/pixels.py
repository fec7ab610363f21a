"""Pixel codecs, made for the eye, as peers: PNG, JPEG, WebP, AVIF and JPEG XL through the same backbone.

    image --scale to short side s--> --encode at quality q--> file: its bytes count
    file --decode--> small image --preprocessing of the backbone--> backbone --> features

Encoding at a smaller size is the strongest cheap way to save bytes that a pixel codec has: what a backbone scales to
224 pixels anyway survives it. So quality AND size are swept; a short side above the image's own leaves the image as it
is. The decoder gives the small image; the backbone's own preprocessing scales it up.

Encoders run at options that make small files, and no metadata is written: JPEG with optimised Huffman tables,
progressive or sequential, whichever is smaller; WebP method 6; AVIF by libaom at speed 6 (speed 4 takes four times as
long and changes the size by less than 1 %); JPEG XL effort 9; colour at half resolution (4:2:0) in the first three. The
sweep of `standard_pixel_codecs` is what benchmarks/pixel_sweep.py left on the hull.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from taskcodec.data.items import ImageSource, Item
from taskcodec.engines.encode.local import Batches, Features, Progress
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.npz import read_arrays, write_arrays
from taskcodec.store import OK
from taskcodec.transforms.pictures.images import image_size, read_image

if TYPE_CHECKING:
    from taskcodec.transforms.backbones import Backbone  # which imports torch

Format = Literal["png", "jpeg", "webp", "avif", "jxl"]
Bits = npt.NDArray[np.float64]

_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "png": {"optimize": True},
        "jpeg": {"optimize": True, "subsampling": "4:2:0"},
        "webp": {"method": 6},
        "avif": {"speed": 6, "subsampling": "4:2:0", "max_threads": 1, "codec": "aom"},
        "jxl": {"effort": 9, "num_threads": 1},
    }
)
NAMES = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "jxl": "JPEG XL"}
"""Each format as it is spelled."""
_NEEDED = {"jxl": "pip install 'taskcodec[jxl]'", "avif": "a Pillow built with libavif"}


class PixelCodec(Protocol):
    """What a codec of images is to the benchmarks. `name` is the curve it belongs to, `setting` its point on it."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> str: ...
    def encode_decode(self, image: Image.Image) -> tuple[Image.Image, int]:
        """An RGB image as it comes back, in any size, and the bytes its file took."""


@dataclass(frozen=True)
class PillowCodec:
    """An image format that Pillow writes, at one quality and size.

    Attributes:
        format: "png", "jpeg", "webp", "avif" or "jxl" (JPEG XL, from pillow-jxl-plugin).
        quality: the encoder's own scale, 0 to 100; None for PNG, which keeps every pixel.
        short_side: in pixels; larger images are scaled down to it with Lanczos' filter first. None: never.

    Raises:
        UsageError: no such format, a quality it does not have, or a size below 1.
    """

    format: Format
    quality: int | None = None
    short_side: int | None = None

    def __post_init__(self) -> None:
        if self.format not in _OPTIONS:
            raise UsageError(f"{self.format}: no such image format; known are {', '.join(_OPTIONS)}")
        if self.format == "png" and self.quality is not None:
            raise UsageError("png: keeps every pixel and has no quality")
        if self.format != "png" and not (self.quality is not None and 0 <= self.quality <= 100):
            raise UsageError(f"{self.format}: needs a quality from 0 to 100, found {self.quality}")
        if self.short_side is not None and self.short_side < 1:
            raise UsageError(f"{self.format}: a short side of {self.short_side} pixels leaves no image")

    @property
    def name(self) -> str:
        """The format, as it is spelled."""
        return NAMES[self.format]

    @property
    def setting(self) -> str:
        """For instance "quality 30, short side 96"."""
        quality = "lossless" if self.quality is None else f"quality {self.quality}"
        return f"{quality}, {'full size' if self.short_side is None else f'short side {self.short_side}'}"

    def encode(self, image: Image.Image) -> bytes:
        """The file of an RGB image. Raises UsageError where the format's encoder is not installed."""
        if not available(self.format):
            raise UsageError(f"{self.name}: this Pillow cannot write it; needs {_NEEDED[self.format]}")
        small = scale_down(image, self.short_side)
        if self.format == "jpeg":  # progressive scans cost a small image more than they save
            return min((self._file(small, progressive=order) for order in (True, False)), key=len)
        return self._file(small)

    def _file(self, image: Image.Image, **more: Any) -> bytes:
        options = {**_OPTIONS[self.format], **more} | ({} if self.quality is None else {"quality": self.quality})
        stream = io.BytesIO()
        image.save(stream, self.format, **options)
        return stream.getvalue()

    def encode_decode(self, image: Image.Image) -> tuple[Image.Image, int]:
        """The image as a reader of the file sees it (scaled down, RGB), and the bytes of the file."""
        file = self.encode(image)
        with Image.open(io.BytesIO(file), formats=[self.format.upper()]) as decoded:
            return decoded.convert("RGB"), len(file)


def scale_down(image: Image.Image, short_side: int | None) -> Image.Image:
    """The RGB image without metadata, its short side at most short_side pixels."""
    width, height = image.size
    short = min(width, height)
    if short_side is None or short <= short_side:
        plain = image.convert("RGB").copy()
    else:
        size = (max(1, round(side * short_side / short)) for side in (width, height))
        plain = image.convert("RGB").resize((next(size), next(size)), Image.Resampling.LANCZOS)
    plain.info = {}  # profiles and comments would be written along
    return plain


@cache
def available(image_format: Format) -> bool:
    """Whether this installation can write the format."""
    if image_format == "jxl":
        try:
            import_module("pillow_jxl")
        except ImportError:
            return False
    Image.init()
    return image_format.upper() in Image.SAVE


_SWEEP: Mapping[Format, tuple[tuple[int | None, int | None], ...]] = MappingProxyType(
    {
        "png": ((None, 32), (None, 64), (None, 96), (None, 128), (None, 160), (None, 224)),
        "jpeg": ((40, 32), (40, 48), (10, 96), (40, 64), (75, 64), (40, 96), (40, 160), (75, 160), (75, 224)),
        "webp": ((10, 32), (40, 32), (10, 64), (75, 48), (40, 96), (40, 128), (75, 128), (75, 224)),
        "avif": ((40, 32), (40, 48), (40, 64), (40, 96), (40, 128), (40, 160), (40, 224), (75, 160)),
        "jxl": ((40, 32), (40, 48), (75, 48), (75, 64), (75, 96), (75, 128), (75, 160), (75, 224)),
    }
)
"""Quality and short side on the upper hull of rate and accuracy (benchmarks/results/pixel_sweep.csv)."""


def standard_pixel_codecs(formats: tuple[Format, ...] = ("png", "jpeg", "webp", "avif", "jxl")) -> list[PillowCodec]:
    """The sweep of (quality, short side) that the benchmarks run, without the formats that are not installed."""
    return [
        PillowCodec(image_format, quality, side)
        for image_format in formats
        if available(image_format)
        for quality, side in _SWEEP[image_format]
    ]


def pixel_features(
    codec: PixelCodec,
    source: ImageSource,
    backbone: Backbone,
    cache_folder: Path,
    progress: Progress | None = None,
) -> tuple[Features, Bits]:
    """What the backbone makes of the images once the codec has coded them.

    The result is kept in cache_folder, under a name made from the codec, its setting, the source's names and sizes, the
    backbone's weights and preprocessing, and Pillow's version; a second call reads it from there.

    Returns:
        (n, d) float32 features in the order of the source, and (n,) the bits of each image's file.

    Raises:
        SourceError: an image of the source cannot be read; the line names it.
        StorageError: the cache cannot be written.
    """
    codec = _without_idle_side(codec, source)
    file = Path(cache_folder) / f"pixels-{_key(codec, source, backbone)}.npz"
    kept = read_arrays(file) or {}
    if kept.keys() >= {"features", "bits"}:  # else not there yet, or cut off by something else: made anew
        if progress is not None:
            progress(len(source), len(source))
        return kept["features"].astype(np.float32), kept["bits"].astype(np.float64)
    counts = np.zeros(len(source), np.int64)
    items = [_coded(item, codec, _counter(counts, index)) for index, item in enumerate(source.items)]
    batches = Batches(replace(source, items=items), backbone)
    found = []
    for batch in batches.run(range(len(batches))):
        for record in batch.records:
            if record.status != OK:
                raise SourceError(f"{source.name}: {record.id}: {record.status}")
        found.append(batch.features)
        if progress is not None:
            progress(min((batch.number + 1) * batches.size, len(source)), len(source))
    features, bits = np.concatenate(found), counts * np.float64(8)
    write_arrays(file, {"features": features, "bits": bits})
    return features, bits


def _without_idle_side(codec: PixelCodec, source: ImageSource) -> PixelCodec:
    """The same codec at full size where no image is larger than its short side: small images are coded once."""
    if not isinstance(codec, PillowCodec) or codec.short_side is None:
        return codec
    try:
        if any(min(image_size(item.read())) > codec.short_side for item in source.items):
            return codec
    except (SourceError, OSError):
        return codec  # coding names the image
    return replace(codec, short_side=None)


def _coded(item: Item, codec: PixelCodec, count: Callable[[int], None]) -> Item:
    """The item as it is after coding; each read reports the bytes of its file."""

    def read() -> Image.Image:
        decoded, size = codec.encode_decode(read_image(item.read(), keep_truncated=True).image)
        count(size)
        return decoded

    return replace(item, read=read)


def _counter(counts: npt.NDArray[np.int64], index: int) -> Callable[[int], None]:
    return lambda size: counts.__setitem__(index, size)


def _key(codec: PixelCodec, source: ImageSource, backbone: Backbone) -> str:
    content = [
        codec.name, codec.setting, {name: dict(options) for name, options in _OPTIONS.items()}, PIL.__version__,
        source.name, source.descriptor(),
        backbone.spec.name, backbone.spec.weights_sha256, backbone.preprocess.to_json(),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()[:32]

"""Reading and preprocessing images: any file -> RGB uint8 -> the square a backbone takes."""

import io
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from taskcodec.errors import SourceError

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""Images with more pixels than this (Pillow's own limit for an attack) are refused once reduced as they can be."""
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True)
class Preprocessing:
    """What a backbone does to an image before its first layer; recorded in the codec.

    Attributes:
        resize: the short side is scaled to this many pixels ...
        crop: ... and the central square of this side is kept.
        interpolation: "bicubic" or "bilinear", antialiased.
        mean, std: per channel, of pixel values in [0, 1].
    """

    resize: int
    crop: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, image: Any) -> Pixels:
        """A path, bytes, PIL image or (H, W, 3) uint8 array -> (crop, crop, 3) uint8. Raises SourceError."""
        opened = image if isinstance(image, Image.Image) else open_image(image, self.resize)
        opened = opened if opened.mode == "RGB" else to_rgb(opened)
        width, height = opened.size
        side = min(width, height) * self.crop / self.resize
        left, top = (width - side) / 2, (height - side) / 2
        method = Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR
        square = opened.resize((self.crop, self.crop), method, box=(left, top, left + side, top + side))
        return np.asarray(square, dtype=np.uint8)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        content = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}


def open_image(source: Any, least_side: int | None = None) -> Image.Image:
    """Open and decode an image upright, in RGB. JPEG files far larger than needed are decoded at reduced scale.

    Args:
        source: path, bytes, or (H, W, 3) / (H, W) uint8 array.
        least_side: the short side that must remain; None keeps the full size.

    Raises:
        SourceError: with a short reason (no file name: the caller knows it).
    """
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or source.ndim not in (2, 3):
            raise SourceError(f"an image array must be uint8 (H, W, 3), found {source.dtype} {source.shape}")
        return to_rgb(Image.fromarray(source))
    try:
        stream: Any = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: SIM115
    except OSError as error:
        raise SourceError((error.strerror or str(error)).lower()) from error
    with stream:
        return _decode(stream, least_side)


def image_size(source: Any) -> tuple[int, int] | None:
    """(width, height) as stored, without decoding; None where it cannot be told."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                return image.size
    except Exception:  # whatever a hostile header does, reading the image itself will name the fault
        return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB; 16-bit greys are scaled, not clipped."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        grey = np.asarray(image).astype(np.int64)
        scale = 257 if image.mode != "I" or grey.max(initial=0) > 255 else 1
        return Image.fromarray(np.clip(grey // scale, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise SourceError("a floating-point image has no agreed range")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _decode(stream: Any, least_side: int | None) -> Image.Image:
    head = stream.read(3)
    if not head:
        raise SourceError("empty file")
    stream.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The plain constructor, because Image.open refuses by the full size before `draft` can reduce it.
            image = JpegImagePlugin.JpegImageFile(stream) if head == b"\xff\xd8\xff" else Image.open(stream)
            if least_side is not None and image.format == "JPEG" and min(image.size) >= 2 * least_side:
                scale = least_side / min(image.size)
                image.draft("RGB", (int(image.width * scale) + 1, int(image.height * scale) + 1))
            if image.width * image.height > MAX_PIXELS:
                raise SourceError(f"{image.width}x{image.height} pixels exceed the limit of {MAX_PIXELS}")
            image.load()
            return to_rgb(ImageOps.exif_transpose(image) or image)
    except SourceError:
        raise
    except Image.DecompressionBombError as error:
        raise SourceError(f"more pixels than the limit of {MAX_PIXELS}") from error
    except UnidentifiedImageError as error:
        raise SourceError("not an image that can be read") from error
    except MemoryError as error:
        raise SourceError("too large for the memory") from error
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to
        raise SourceError(f"damaged image ({type(error).__name__}: {error})"[:200].replace("\n", " ")) from error

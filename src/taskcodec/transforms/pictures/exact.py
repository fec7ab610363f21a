"""An image file's pixels as they are stored: nothing is turned, converted or made shallower.

A palette's colours stand for its numbers, and what a file of one bit holds is 0 and 255. What Pillow itself would give
in fewer bits than the file has is refused.
"""

import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.depth import low_bytes_mode
from taskcodec.transforms.pictures.images import identified, telling_faults
from taskcodec.transforms.values.pixels import MAX_COLUMNS

_AS_THEY_ARE = ("L", "LA", "RGB", "RGBA", "I;16", "I;16L", "I;16B")


class ExactPixels(NamedTuple):
    """An image that was read.

    Attributes:
        pixels: (H, W), or (H, W, channels) where there are several; uint8 or uint16.
        size: (width, height).
    """

    pixels: npt.NDArray[Any]
    size: tuple[int, int]


def read_exact(source: Any) -> ExactPixels:
    """Read an image file, by path or bytes. Raises SourceError with a short reason."""
    with telling_faults(), io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as stream:
        image = identified(stream)
        if image.width * image.height > MAX_COLUMNS:
            raise SourceError(
                f"{image.width}x{image.height} pixels, where lossless codecs take {MAX_COLUMNS:,} at most"
            )
        if low_bytes_mode(image) is not None or any(tile.codec_name == "ppm" for tile in image.tile):
            raise SourceError("colours of other than 8 bits, of which only 8 would come back")
        image.load()
        return ExactPixels(pixels_of(image), image.size)


def pixels_of(image: Image.Image) -> npt.NDArray[Any]:
    """A PIL image's pixels. Raises SourceError on a mode whose numbers are none of ours."""
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _AS_THEY_ARE and (image.mode, image.format) != ("I", "PPM"):  # which has 16 bits
        raise SourceError(f"pixels of the mode {image.mode}: grey or RGB is expected, with alpha or without")
    found = np.asarray(image)
    return found.astype(np.uint16) if image.mode.startswith("I") else found

"""Files that hold their pixels as they are (PPM, BMP, most TIFF): these as JPEG XL, and what is around them.

content := layout (1 byte), length (4) of LZMA(head length (4), head, tail), that, JPEG XL codestream
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from taskcodec.transforms.originals import general
from taskcodec.transforms.originals.jxl import Pixels, jxl_to_pixels, pixels_to_jxl

_STARTS = (b"P5", b"P6", b"BM", b"II*\0", b"MM\0*")
_FORMATS = ("PPM", "BMP", "TIFF")
_MODES = ("L", "RGB")


def _rows(pixels: Pixels) -> bytes:
    return pixels.tobytes()


def _rows_of_bmp(pixels: Pixels) -> bytes:
    """From the bottom up, blue first, each row filled up to 4 bytes."""
    height, width, channels = pixels.shape
    turned = pixels[::-1, :, ::-1].reshape(height, width * channels)
    return np.pad(turned, ((0, 0), (0, -width * channels % 4))).tobytes()


_LAYOUTS: tuple[Callable[[Pixels], bytes], ...] = (_rows, _rows_of_bmp)


def is_raster(data: bytes) -> bool:
    """Whether a file begins as those do that may hold pixels as they are."""
    return data.startswith(_STARTS)


def pack(data: bytes) -> bytes | None:
    """A file -> content; None where its pixels are not found in it as they are."""
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.mode not in _MODES:
            return None
        pixels = np.atleast_3d(np.asarray(image))
    for code, layout in enumerate(_LAYOUTS):
        there = layout(pixels)
        if (at := data.find(there)) >= 0:
            around = at.to_bytes(4, "big") + data[:at] + data[at + len(there) :]
            return bytes([code]) + general.joined(around, pixels_to_jxl(pixels))
    return None


def unpack(content: bytes) -> bytes:
    """Invert `pack`."""
    around, codestream = general.parted(content[1:])
    at = int.from_bytes(around[:4], "big")
    head, tail = around[4 : 4 + at], around[4 + at :]
    return head + _LAYOUTS[content[0]](jxl_to_pixels(codestream)) + tail

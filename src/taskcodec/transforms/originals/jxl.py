"""JPEG XL (ISO/IEC 18181), by libjxl: pixels without loss, and JPEG files that are given back byte for byte."""

from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
_EFFORT, _MORE_EFFORT = 7, 9
"""Of libjxl: the second saves 0.2 % of a JPEG file and 1 % of pixels, and takes four to six times as long ..."""
_SMALL_BYTES = 2**16
"""... which is no time for JPEG files up to this size."""
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""By the channels of 8 bits."""


def _encoder(mode: str, container: bool, effort: int) -> Any:
    return import_module("pillow_jxl").Encoder(  # whose own stubs know less than it takes
        mode=mode,
        lossless=True,
        quality=100,
        decoding_speed=0,
        effort=effort,
        use_container=container,
        use_original_profile=True,
        num_threads=1,
    )


def _decoded(data: bytes) -> Any:
    return import_module("pillow_jxl").Decoder(num_threads=1)(data)


def jpeg_to_jxl(data: bytes) -> bytes:
    """A JPEG file -> a JPEG XL file. Raises what libjxl's binding raises on files that it cannot give back."""
    effort = _MORE_EFFORT if len(data) <= _SMALL_BYTES else _EFFORT
    return bytes(_encoder("RGB", True, effort)(data, 0, 0, jpeg_encode=True))


def jxl_to_jpeg(data: bytes) -> bytes:
    """Invert `jpeg_to_jxl`. Raises ValueError where no JPEG file is in it."""
    found = _decoded(data)
    if not found[0]:
        raise ValueError("no JPEG file in it")
    return bytes(found[2])


def pixels_to_jxl(pixels: Pixels) -> bytes:
    """(H, W, channels) uint8, 1 to 4 channels -> a bare JPEG XL codestream."""
    height, width, channels = pixels.shape
    encode = _encoder(_MODES[channels], False, _EFFORT)
    nothing = {"exif": None, "jumb": None, "xmp": None, "compress": False}
    return bytes(encode(np.ascontiguousarray(pixels).tobytes(), width, height, jpeg_encode=False, **nothing))


def jxl_to_pixels(data: bytes) -> Pixels:
    """Invert `pixels_to_jxl`."""
    _, info, raw, *_ = _decoded(data)
    return np.frombuffer(bytes(raw), np.uint8).reshape(info.height, info.width, -1)

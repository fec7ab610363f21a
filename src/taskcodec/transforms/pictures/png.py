"""Pixels as a PNG file."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image


def png_of(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 -> a PNG file that gives these back."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

"""Files that have a value for each pixel: pictures, and maps of labels, objects, depth or disparity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.errors import SourceError, unreadable
from taskcodec.transforms.pictures.images import read_image

_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of one whole number a pixel; a palette's numbers are what labels are."""


def read_pixels(file: Path) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB. Raises SourceError, which names the file."""
    try:
        return np.asarray(read_image(str(file)).image, dtype=np.uint8)
    except (SourceError, OSError) as error:
        raise SourceError(f"{file}: {getattr(error, 'strerror', None) or error}") from error


def read_map(file: Path) -> npt.NDArray[Any]:
    """(H, W) whole numbers of an image of one channel, or whatever a .npy file has. Raises SourceError."""
    try:
        if file.suffix == ".npy":
            found: npt.NDArray[Any] = np.load(file, allow_pickle=False)
        else:
            with Image.open(file) as image:
                if image.mode not in _MODES:
                    raise SourceError(f"{file}: expected one number a pixel, found an image of mode {image.mode}")
                found = np.asarray(image)
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, EOFError, SyntaxError) as error:
        raise SourceError(f"{file}: not an array or image that can be read ({error})") from error
    if found.ndim != 2 or found.dtype.kind not in "biuf":
        raise SourceError(f"{file}: expected a number for each pixel, found {found.shape} {found.dtype}")
    return found


def read_labels(file: Path) -> npt.NDArray[np.uint8]:
    """(H, W) classes. Raises SourceError where some are not whole numbers from 0 to 255."""
    found = read_map(file)
    if found.dtype.kind == "f" or (found.size and not 0 <= found.min() <= found.max() <= 255):
        raise SourceError(f"{file}: labels are whole numbers from 0 to 255, found {found.dtype} up to {found.max()}")
    return found.astype(np.uint8)


def read_depth(file: Path, metres: float) -> npt.NDArray[np.float32]:
    """(H, W) metres, 0 where the file has no finite number above 0. metres: of one unit of the file."""
    found = read_map(file).astype(np.float64) * metres
    return np.where(np.isfinite(found) & (found > 0), found, 0).astype(np.float32)


def sized(what: Path, found: npt.NDArray[Any], picture: Path, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    """A map as it is. Raises SourceError where it is not of its picture's size."""
    if found.shape != pixels.shape[:2]:
        (height, width), (rows, columns) = found.shape, pixels.shape[:2]
        raise SourceError(f"{what}: is {width}x{height}, its picture {picture.name} {columns}x{rows}")
    return found

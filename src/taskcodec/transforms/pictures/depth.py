"""Pictures of more than 8 bits a channel -> 8 bits, by one rule that looks at nothing but the picture.

Files of 16 bits often hold the values of a camera of 10, 12 or 14, or of 8: which, they do not tell. A picture's depth
is taken to be the smallest of DEPTHS whose range holds its largest value v, and v becomes floor(255 v / (2^depth - 1)).
So a picture that goes through its file's range keeps it, and one of few bits is not black. Numbers that no such depth
holds have no agreed range, and are refused; floats have one from 0 to 1.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.errors import SourceError

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]
DEPTHS = (8, 10, 12, 14, 16)
_BLOCK_VALUES = 2**20
"""Values are scaled so many at a time, which bounds the memory of what lies between."""
_BITS_TAG = 258
"""Of TIFF files: the bits of a channel."""
_OTHER_BYTE = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
"""Pillow reads the high byte of a colour's 16 bits. Told the other order of bytes, it reads the low one."""
_GREY_AND_ALPHA, _AS_IT_LIES = "LA;16B", "RGBA"


def eight_bits(values: Values) -> tuple[Pixels, int]:
    """Whole numbers, or floats from 0 to 1, of any shape -> the same shape in 8 bits, and their depth.

    Raises SourceError where they have no agreed range.
    """
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # NaN too
            raise SourceError(
                f"a floating-point image has no agreed range but 0 to 1, found {low:.4g} to {high:.4g}: convert it to "
                "8 or 16 bits"
            )
        return _scaled(values, lambda part: np.rint(part * 255)), DEPTHS[-1]
    if low < 0 or high >= 1 << DEPTHS[-1]:
        raise SourceError(f"whole numbers from {low} to {high} have no agreed range: convert it to 8 or 16 bits")
    depth = next(bits for bits in DEPTHS if int(high) < 1 << bits)
    limit = np.uint32((1 << depth) - 1)
    return _scaled(values, lambda part: part.astype(np.uint32) * np.uint32(255) // limit), depth


def shallow(image: Image.Image) -> tuple[Image.Image, str | None]:
    """A grey image of more than 8 bits (of mode I, I;16, ... or F) -> 8 bits, and a note on its depth; others as given.

    It is of mode L, or LA where one of its values is transparent. Raises SourceError as `eight_bits` does.
    """
    if not image.mode.startswith(("I", "F")):
        return image, None
    values = np.asarray(image)
    scaled, depth = eight_bits(values)
    note = None if image.mode == "F" else _note(values, depth, _bits_of(image))
    found, clear = Image.fromarray(scaled), image.info.get("transparency")
    if isinstance(clear, int):
        found.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return found, note


def low_bytes_mode(image: Image.Image) -> str | None:
    """The raw mode in which Pillow reads the low bytes of a colour image of 16 bits a channel; None for any other.

    Pillow gives the high bytes of such files alone. The image must not be loaded yet.
    """
    arguments = (tile[3] for tile in getattr(image, "tile", None) or ())
    raw = next((str(found if isinstance(found, str) else (found or "-")[0]) for found in arguments), "")
    if raw == _GREY_AND_ALPHA:
        return _AS_IT_LIES
    known = image.mode in ("RGB", "RGBA") and raw[:-4] in ("RGB", "RGBA", "RGBX") and raw[-4:] in _OTHER_BYTE
    return raw[:-4] + _OTHER_BYTE[raw[-4:]] if known else None


def shallow_colours(high: Image.Image, raw: str, opened: Callable[[], Image.Image]) -> tuple[Image.Image, str | None]:
    """A colour image of 16 bits a channel -> the same in 8 bits, by the rule of grey ones, and a note on its depth.

    Args:
        high: its high bytes, as Pillow gives them.
        raw: what `low_bytes_mode` says of it.
        opened: opens the same file again; called only where the colours stay below a depth of 16.
    """
    bands: Any = high.getextrema()
    if max(most for _, most in bands[:3]) >= 1 << (DEPTHS[-2] - 8):
        return high, None
    low: Any = opened()
    for at, tile in enumerate(low.tile):  # plain tuples, or named ones from Pillow 11 on
        args = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
        low.tile[at] = getattr(type(tile), "_make", tuple)((*tile[:3], args))
    low.load()
    upper, lower = np.asarray(high), np.asarray(low)
    if raw == _AS_IT_LIES:  # the two bytes of grey, then the two of alpha
        colours = np.repeat(lower[..., :1].astype(np.uint16) << 8 | lower[..., 1:2], 3, axis=2)
    else:
        colours = upper[..., :3].astype(np.uint16) << 8 | lower[..., :3]
    scaled, depth = eight_bits(colours)
    whole = Image.fromarray(np.concatenate([scaled, upper[..., 3:]], axis=2))
    return whole, _note(colours, depth, DEPTHS[-1])


def _note(values: Values, depth: int, bits: int) -> str | None:
    """What to say of a picture of fewer bits than its file has; a black one is black at any depth."""
    return f"{depth}-bit values in a {bits}-bit picture" if depth < bits and values.any() else None


def _bits_of(image: Image.Image) -> int:
    tags = getattr(image, "tag_v2", None)
    found = tags.get(_BITS_TAG) if tags is not None else None
    return int(found[0]) if found else DEPTHS[-1]


def _scaled(values: Values, scale: Callable[[Values], Values]) -> Pixels:
    flat, found = values.reshape(-1), np.empty(values.size, np.uint8)
    for start in range(0, values.size, _BLOCK_VALUES):
        found[start : start + _BLOCK_VALUES] = scale(flat[start : start + _BLOCK_VALUES])
    return found.reshape(values.shape)

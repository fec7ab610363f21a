"""A picture for people in a given number of bytes: AVIF, scaled down as far as its bytes call for.

Of photographs of short side 256, each format at the size that suits it best (16 of imagenet_sample_1000, PSNR in dB
against the photograph, scaled up again), at 1, 2, 4 and 8 kB: AVIF 22.8, 25.5, 28.4, 31.9; WebP 23.0, 24.8, 27.7, 31.4;
JPEG XL 21.9, 23.6, 26.6, 30.2. The best size of AVIF is about the same number of pixels a byte at each of these.
"""

import io
import math

from PIL import Image

PIXELS_PER_BYTE = 22
"""Of a picture with more pixels, a smaller copy is nearer to it than one of lower quality."""
LEAST_BYTES = 400
"""Below it AVIF's own headers leave no room for a picture."""
_OPTIONS = {"speed": 8, "subsampling": "4:2:0", "max_threads": 1, "codec": "aom"}
_NEAR = 0.01
"""A file this near to its target is as good as met: 8 bits of quality come no nearer than 3 %."""
_MOST_OVER = 0.05
"""A file larger than its target by more is tried again at a smaller size."""
_SLOPE = 0.03
"""A step of quality changes the size of a file by about so much."""
_SHRINK = 0.9


def small_picture(image: Image.Image, target_bytes: int) -> bytes:
    """The AVIF file of an RGB image that is nearest to a number of bytes.

    Smaller where even the highest quality at full size takes fewer; larger only where a file of one pixel does.
    """
    sized = _scaled(image, math.sqrt(PIXELS_PER_BYTE * target_bytes / (image.width * image.height)))
    while True:
        found = _nearest(sized, target_bytes)
        if len(found) <= (1 + _MOST_OVER) * target_bytes or max(sized.size) == 1:
            return found
        sized = _scaled(sized, _SHRINK)


def side_needed(size: tuple[int, int], target_bytes: int) -> int:
    """The short side in pixels that `small_picture` makes use of, of an image of this (width, height)."""
    width, height = size
    share = min(1.0, math.sqrt(PIXELS_PER_BYTE * target_bytes / (width * height)))
    return max(1, math.ceil(min(width, height) * share))


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    plain = image if image.mode == "RGB" else image.convert("RGB")
    if factor < 1:
        width, height = (max(1, round(side * factor)) for side in plain.size)
        return plain.resize((width, height), Image.Resampling.LANCZOS)
    plain = plain.copy()
    plain.info = {}  # profiles and comments would be written along
    return plain


def _nearest(image: Image.Image, target_bytes: int) -> bytes:
    """The file nearest to the target among the qualities 0 to 100, found as sizes grow with quality."""
    low, high, quality = -1, 101, 50
    best = b""
    while True:
        found = _file(image, quality)
        if not best or abs(len(found) - target_bytes) < abs(len(best) - target_bytes):
            best = found
        error = math.log(len(found) / target_bytes)
        low, high = (low, quality) if error > 0 else (quality, high)
        if abs(error) < _NEAR or high - low < 2:
            return best
        quality = min(max(round(quality - error / _SLOPE), low + 1), high - 1)


def _file(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "AVIF", quality=quality, **_OPTIONS)
    return stream.getvalue()

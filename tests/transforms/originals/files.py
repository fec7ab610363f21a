"""Files as cameras, programs and accidents make them, by name."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def scene(width=192, height=128):
    """An RGB image with edges, slopes and some noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    planes = [128 + 90 * np.sin(x / 9 + 3 * c) + 30 * np.cos(y / (5 + c)) + 60 * (x > 2 * y) for c in range(3)]
    noisy = np.stack(planes, -1) / 1.6 + rng.normal(0, 3, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def filtered_png(image, level, memory, strategy):
    """A PNG file of several IDAT chunks whose rows go through all five filters in turn."""
    rows, before = [], np.zeros((image.width + 1, 3), np.int16)
    for number, row in enumerate(np.asarray(image).astype(np.int16)):
        here = np.concatenate([np.zeros((1, 3), np.int16), row])
        left, above, corner = here[:-1], before[1:], before[:-1]
        guess = left + above - corner
        order = np.argmin([abs(guess - left), abs(guess - above), abs(guess - corner)], axis=0)
        paeth = np.choose(order, [left, above, corner])
        expected = (0, left, above, (left + above) // 2, paeth)[number % 5]
        rows.append(bytes([number % 5]) + (row - expected).astype(np.uint8).tobytes())
        before = here
    coder = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
    stream = coder.compress(b"".join(rows)) + coder.flush()
    head = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 0)
    parts = [b"IDAT" + stream[at : at + 700] for at in range(0, len(stream), 700)]
    chunks = [b"IHDR" + head, b"tEXtComment\0hello", *parts, b"tIME" + bytes(7), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


SCENE = scene()
JPEG = saved(SCENE, "JPEG", quality=92)
PNG = saved(SCENE, "PNG")

SMALLER = {
    "jpeg": JPEG,
    "jpeg grey": saved(SCENE.convert("L"), "JPEG", quality=92),
    "jpeg progressive": saved(SCENE, "JPEG", quality=92, progressive=True),
    "jpeg with exif": saved(SCENE, "JPEG", quality=92, exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(300)),
    "jpeg with bytes behind": JPEG + b"what a camera left" * 9,
    "png": PNG,
    "png optimized": saved(SCENE, "PNG", optimize=True),
    "png of level 1": saved(SCENE, "PNG", compress_level=1),
    "png of five filters": filtered_png(SCENE, 7, 9, zlib.Z_DEFAULT_STRATEGY),
    "png by runs": filtered_png(SCENE, 6, 8, zlib.Z_RLE),
    "png grey": saved(SCENE.convert("L"), "PNG"),
    "png with alpha": saved(SCENE.convert("RGBA"), "PNG"),
    "png with a palette": saved(SCENE.convert("P"), "PNG"),
    "png of 16 bits": saved(Image.fromarray((np.arange(6000).reshape(60, 100) * 9).astype(np.uint16)), "PNG"),
    "png with bytes behind": PNG + b"x",
    "ppm": saved(SCENE, "PPM"),
    "bmp": saved(SCENE.resize((97, 128)), "BMP"),
    "bmp grey": saved(SCENE.resize((97, 128)).convert("L"), "BMP"),
    "tiff": saved(SCENE, "TIFF"),
    "tiff lzw": saved(SCENE, "TIFF", compression="tiff_lzw"),
    "text": b"no picture at all " * 50,
}
"""What some way makes smaller."""
OTHERS = {
    "nothing": b"",
    "a byte": b"\0",
    "noise": np.random.default_rng(1).bytes(500),
    "jpeg cmyk": saved(SCENE.convert("CMYK"), "JPEG"),
    "jpeg cut": JPEG[: len(JPEG) // 2],
    "jpeg cut in its header": JPEG[:100],
    "jpeg without its end": JPEG[:-2],
    "jpeg damaged": JPEG[:900] + b"\xff\xff\0\0" + JPEG[904:],
    "png cut": PNG[: len(PNG) // 2],
    "png damaged": PNG[:200] + b"\0\0" + PNG[202:],
    "png without rows": PNG[:33],
    "webp": saved(SCENE, "WEBP"),
    "gif": saved(SCENE, "GIF"),
    "avif": saved(SCENE, "AVIF"),
    "one pixel": saved(SCENE.resize((1, 1)), "PNG"),
    "one pixel jpeg": saved(SCENE.resize((1, 1)), "JPEG"),
}
"""What comes back all the same, in whatever size."""

"""PNG files whose compressed rows zlib makes again: their pixels as JPEG XL, or their rows by LZMA, and what is beside.

A PNG file is a list of chunks; those named IDAT hold, one behind the other, a zlib stream of rows, each of which begins
with the filter it went through (PNG specification, section 9). Only its maker knows how zlib was told to search, but
there are few ways: where one gives the same bytes, it is all that need be stored.

    content := length (4) of what is beside, LZMA(what is beside), pixels or rows
    what is beside := kind, level, memory, strategy (1 byte each), window bits (1), then
        pixels: filters of the rows
        lengths of the IDAT chunks (4 each) after their number (4), length (4) of the chunks before, these, those after
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.transforms.originals import general
from taskcodec.transforms.originals.jxl import Pixels, jxl_to_pixels, pixels_to_jxl

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVELS = ((1, 0), (5, 4, 3, 2), (6,), (9, 8, 7))
"""By what the zlib header says of the level."""
_PROBE_BYTES = 2**16
_ROWS, _PIXELS = 0, 1
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""By colour type: of those whose pixels are not places in a palette."""


@dataclass(frozen=True)
class _Deflate:
    """How zlib was told to compress."""

    level: int
    memory: int
    strategy: int
    window: int

    def start(self) -> "zlib._Compress":
        return zlib.compressobj(self.level, zlib.DEFLATED, self.window, self.memory, self.strategy)

    def __call__(self, rows: bytes) -> bytes:
        coder = self.start()
        return coder.compress(rows) + coder.flush()


def is_png(data: bytes) -> bool:
    """Whether a file begins as PNG files do."""
    return data.startswith(_SIGNATURE)


def pack(data: bytes) -> bytes | None:
    """A PNG file -> content; None where zlib does not make its stream again."""
    before, lengths, stream, after = _split(data)
    coder = zlib.decompressobj()
    rows = coder.decompress(stream)
    deflate = _deflate_of(rows, stream + coder.unused_data)
    if deflate is None:
        return None
    beside = struct.pack(f">I{len(lengths)}II", len(lengths), *lengths, len(before)) + before + after
    how = bytes([deflate.level, deflate.memory, deflate.strategy, deflate.window])
    if (found := _pixels(data, rows)) is None:
        return general.joined(bytes([_ROWS]) + how + beside, general.pack(rows))
    pixels, filters = found
    return general.joined(bytes([_PIXELS]) + how + filters.tobytes() + beside, pixels_to_jxl(pixels))


def unpack(content: bytes) -> bytes:
    """Invert `pack`."""
    beside, rest = general.parted(content)
    kind, deflate, beside = beside[0], _Deflate(*beside[1:5]), beside[5:]
    if kind == _PIXELS:
        pixels = jxl_to_pixels(rest)
        filters, beside = np.frombuffer(beside[: len(pixels)], np.uint8), beside[len(pixels) :]
        rows = _filtered(pixels, filters)
    else:
        rows = general.unpack(rest)
    count = int.from_bytes(beside[:4], "big")
    *lengths, head = struct.unpack_from(f">{count}II", beside, 4)
    chunks = beside[8 + 4 * count :]
    return chunks[:head] + b"".join(_idat(deflate(rows), lengths)) + chunks[head:]


def _split(data: bytes) -> tuple[bytes, list[int], bytes, bytes]:
    """What comes before the IDAT chunks, their lengths, what they hold, and what comes after."""
    at, first, stream, lengths = len(_SIGNATURE), -1, list[bytes](), list[int]()
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"IDAT":
            first = at if first < 0 else first
            lengths.append(length)
            stream.append(data[at + 8 : at + 8 + length])
        elif first >= 0:
            break
        at += 12 + length
    return data[: max(first, 0)], lengths, b"".join(stream), data[at:]


def _idat(stream: bytes, lengths: list[int]) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        body = b"IDAT" + stream[at : at + length]
        yield length.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        at += length


def _deflate_of(rows: bytes, stream: bytes) -> _Deflate | None:
    """How zlib makes this stream of these rows, found on its beginning first; None where it does not."""
    window, levels = (stream[0] >> 4) + 8, _LEVELS[stream[1] >> 6]
    # What most writers use comes first: the strategy for filtered rows, and the usual one.
    for level, memory, strategy in product(levels, (8, 9), (zlib.Z_FILTERED, zlib.Z_DEFAULT_STRATEGY, zlib.Z_RLE)):
        deflate = _Deflate(level, memory, strategy, window)
        begun = deflate.start().compress(rows[:_PROBE_BYTES])
        if stream.startswith(begun) and deflate(rows) == stream:
            return deflate
    return None


def _pixels(data: bytes, rows: bytes) -> tuple[Pixels, npt.NDArray[np.uint8]] | None:
    """(H, W, channels) uint8 pixels and the filter of each row; None where they are of other depths, or interlaced."""
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if depth != 8 or colours not in _CHANNELS or interlaced:
        return None
    channels = _CHANNELS[colours]
    whole = np.frombuffer(rows, np.uint8).reshape(height, 1 + width * channels)
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        pixels = np.asarray(image).reshape(height, width, channels)
    return pixels, whole[:, 0]


def _filtered(pixels: Pixels, filters: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, channels) pixels -> rows, each behind its filter and through it."""
    height, width, channels = pixels.shape
    here = pixels.reshape(height, width * channels).astype(np.int16)
    left, above = np.zeros_like(here), np.zeros_like(here)
    left[:, channels:], above[1:] = here[:, :-channels], here[:-1]
    corner = np.zeros_like(here)
    corner[1:, channels:] = here[:-1, :-channels]
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    paeth = np.where(
        (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner)
    )
    out = np.empty((height, 1 + width * channels), np.uint8)
    out[:, 0] = filters
    for code, expected in enumerate((np.zeros_like(here), left, above, (left + above) // 2, paeth)):
        chosen = filters == code
        out[chosen, 1:] = (here[chosen] - expected[chosen]).astype(np.uint8)
    return out.tobytes()

"""Lepton files without what all of them share.

    Lepton file := CF 84 01 5A  threads (4) "MS"  head length (4)  writer (6)  JPEG length (4)  zlib length (4)
                   zlib(head)  "CMP"  body  file length (4)
    content     := length (2) of d, d := deflate(threads "MS" writer, JPEG length, head), body

The head is that of the JPEG file: where files are small, it is a tenth of them. It is deflated after a dictionary of
what such heads hold (`lepton_heads.bin`, part of the format): the quantization tables of libjpeg's qualities 20 to 100,
the usual Huffman tables, and some that were optimized for photographs.
"""

import struct
import zlib
from functools import cache
from importlib import resources

_MAGIC = b"\xcf\x84\x01Z"
_FIXED, _MARK, _END = 28, b"CMP", 4
WINDOW = -15
"""Of deflate: 32 kB, no header."""


def without_heads(file: bytes) -> bytes | None:
    """A Lepton file -> content; None where it is laid out in another way."""
    head_length, zlib_length = struct.unpack_from("<10xI10xI", file)
    at = _FIXED + zlib_length
    known = file.startswith(_MAGIC) and file[at : at + len(_MARK)] == _MARK
    if not known or int.from_bytes(file[-_END:], "little") != len(file):
        return None
    head = zlib.decompress(file[_FIXED:at])
    coder = zlib.compressobj(9, zlib.DEFLATED, WINDOW, 9, zlib.Z_DEFAULT_STRATEGY, usual_heads())
    small = coder.compress(file[4:10] + file[14:24] + head) + coder.flush()
    if len(head) != head_length or len(small) >= 2**16:
        return None
    return struct.pack("<H", len(small)) + small + file[at + len(_MARK) : -_END]


def with_heads(content: bytes) -> bytes:
    """Invert `without_heads`, but for the level of zlib, which no reader of Lepton sees."""
    (length,) = struct.unpack_from("<H", content)
    whole = zlib.decompressobj(WINDOW, usual_heads()).decompress(content[2 : 2 + length])
    head = whole[16:]
    packed = zlib.compress(head)
    start = _MAGIC + whole[:6] + struct.pack("<I", len(head)) + whole[6:16] + struct.pack("<I", len(packed))
    file = start + packed + _MARK + content[2 + length :]
    return file + struct.pack("<I", len(file) + _END)


@cache
def usual_heads() -> bytes:
    """A dictionary for deflate, of what heads of JPEG files hold."""
    return resources.files("taskcodec").joinpath("transforms/originals/lepton_heads.bin").read_bytes()

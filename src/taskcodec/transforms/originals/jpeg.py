"""JPEG files through coders that undo only their entropy coding: JPEG XL's recompression, and Lepton.

Lepton (Horn et al., "The design, implementation, and deployment of a system to transparently compress hundreds of
petabytes of image files for a file-storage service", NSDI 2017) is the smaller on most photographs, JPEG XL on small
files with much beside the picture.
"""

from taskcodec.transforms.originals.jxl import jpeg_to_jxl, jxl_to_jpeg
from taskcodec.transforms.originals.lepton import with_heads, without_heads

_START = b"\xff\xd8\xff"
_JXL_HEAD = b"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl \x00\x00\x00\x00jxl "
"""How every JPEG XL container begins: left out of what is stored."""


def is_jpeg(data: bytes) -> bool:
    """Whether a file begins as JPEG files do."""
    return data.startswith(_START)


def to_jxl(data: bytes) -> bytes | None:
    """A JPEG file -> a JPEG XL file without its head."""
    found = jpeg_to_jxl(data)
    return found[len(_JXL_HEAD) :] if found.startswith(_JXL_HEAD) else None


def from_jxl(content: bytes) -> bytes:
    """Invert `to_jxl`."""
    return jxl_to_jpeg(_JXL_HEAD + content)


def to_lepton(data: bytes) -> bytes | None:
    """A JPEG file -> a Lepton file without what all share."""
    from lepton_jpeg_python import compress_bytes

    return without_heads(bytes(compress_bytes(data)))


def from_lepton(content: bytes) -> bytes:
    """Invert `to_lepton`."""
    from lepton_jpeg_python import decompress_bytes

    return bytes(decompress_bytes(with_heads(content)))

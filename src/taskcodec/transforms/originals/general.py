"""Files of any kind through LZMA, without its own header: the parameters are part of the format."""

import lzma

_FILTERS = ({"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 2**24},)
_COMPRESSED = (b"\xff\xd8\xff", b"\x00\x00\x00\x0cJXL ", b"\xff\x0a")
"""How files begin that LZMA does not make smaller: it would only take time."""
_BOXES = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


def is_worth_it(data: bytes) -> bool:
    """Whether a file may hold what can be compressed: not where it is compressed well already."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return False
    return not data.startswith(_COMPRESSED) and not (data[4:8] == b"ftyp" and data[8:12] in _BOXES)


def pack(data: bytes) -> bytes:
    """Any bytes -> LZMA's."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)


def unpack(content: bytes) -> bytes:
    """Invert `pack`. Raises what LZMA raises on damaged bytes."""
    return lzma.decompress(content, lzma.FORMAT_RAW, filters=_FILTERS)


def joined(beside: bytes, rest: bytes) -> bytes:
    """length (4) of LZMA(beside), that, rest."""
    small = pack(beside)
    return len(small).to_bytes(4, "big") + small + rest


def parted(content: bytes) -> tuple[bytes, bytes]:
    """Invert `joined`."""
    length = int.from_bytes(content[:4], "big")
    return unpack(content[4 : 4 + length]), content[4 + length :]

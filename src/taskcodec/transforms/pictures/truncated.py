"""JPEG files that lack their end, as an interrupted copy leaves them: what is there can be decoded.

Pillow has a switch for this, but one for the whole process. Here the mark of the end is put back instead: the decoder
fills what is missing with middle grey, and by that is known how much is there.
"""

from typing import Any, BinaryIO

import numpy as np
from PIL import Image

NOTE = "the end of its JPEG file missing"
MOST = 0.5
"""The share of a picture's rows that must be there for it to be kept."""
_START, _SCAN, _END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_ZEROS = 512
"""So many zeros at the end are no picture: the file had its size before its content."""
_FILL = (127, 128)
_BLOCK_ROWS = 64


def completed(stream: BinaryIO, error: OSError) -> bytes | None:
    """The bytes of a JPEG file with its end put back, where that is what it lacks by the decoder's error; else None."""
    return _whole(stream) + _END if "truncated" in str(error) and _is_jpeg(stream) else None


def completed_zeros(stream: BinaryIO) -> bytes | None:
    """The same of a JPEG file that has zeros instead, which decoders take for data; None for any other."""
    if not _is_jpeg(stream) or stream.seek(0, 2) < 2 * _ZEROS:
        return None
    stream.seek(-_ZEROS, 2)
    if stream.read(_ZEROS).strip(b"\0"):
        return None
    content = _whole(stream)
    return None if content.find(_END, content.rfind(_SCAN)) >= 0 else content + _END


def share_there(image: Image.Image) -> float:
    """The share of the rows of a decoded file that are not the decoder's own grey at its end."""
    values: Any = np.asarray(image)
    for stop in range(len(values), 0, -_BLOCK_ROWS):
        block = values[max(stop - _BLOCK_ROWS, 0) : stop]
        there = np.flatnonzero(~np.isin(block, _FILL).reshape(len(block), -1).all(axis=1))
        if len(there):
            return (stop - len(block) + int(there[-1]) + 1) / len(values)
    return 0.0


def _whole(stream: BinaryIO) -> bytes:
    """All bytes but for many zeros at the end."""
    stream.seek(0)
    data = stream.read()
    content = data.rstrip(b"\0")
    return content if len(data) - len(content) >= _ZEROS else data


def _is_jpeg(stream: BinaryIO) -> bool:
    stream.seek(0)
    return stream.read(len(_START)) == _START

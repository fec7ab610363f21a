"""Pictures: symbols that have places, layer by layer, as bitstreams with a check value each, and as one packet.

    packet := varint(H) varint(W) varint(bytes of layer 1) ... varint(bytes of layer m) layer 1 ... layer m
    layer  := the coder's words, little-endian, without the zero bytes at the end

H and W are those of the picture. The coder of a layer starts from a state that holds a CRC-32 of all that has to be
there when it is decoded: the picture's size, the symbols of the layers that condition it, its own. A decoder that ends
elsewhere knows that bits were changed, in the layer or before it; so the head needs no check of its own.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import constriction
import numpy as np

from taskcodec.coding.packet import ends_of, head_of, join_layers
from taskcodec.coding.symbol_model import Given, SymbolModel, Symbols
from taskcodec.coding.varint import write_varints
from taskcodec.errors import CorruptFileError, MismatchError

MAX_SIDE = 2**18
MAX_PIXELS = 2**28
"""Of a picture, at most."""
LEAST_BITS = -math.log2(1 - 2.0**-16)
"""What any symbol costs at least, since every table leaves one count in 2**16 to its escape: by this the bytes of a
layer bound how many symbols it can have, before there is memory for them."""
OVERHEAD_BITS = 33 + 3.5
"""What a layer takes beside the bits of an ideal coder: a check value, and in the mean what whole bytes take."""
_CUT_BITS = 32
"""More than the zeros that are cut from a layer's end."""
Size = tuple[int, int]
"""(H, W)."""


def check_size(size: Size, fault: type[Exception] = MismatchError) -> None:
    """Raise on a picture without pixels, or with more than any of ours."""
    height, width = size
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise fault(
            f"a picture of {width}x{height} pixels: sides are 1 to {MAX_SIDE}, and {MAX_PIXELS} pixels the most"
        )


def encode_layer(symbols: Symbols, model: SymbolModel, given: Given, size: Size) -> bytes:
    """(1, c, h, w) symbols of a layer, those of the layers that condition it, and the picture's size -> bytes.

    What is given conditions at least the synthesis; a model that looks at none of it is not shown it.
    """
    coder = constriction.stream.stack.AnsCoder(_start(symbols, given, size))
    model.for_size(size).push(coder, symbols, given if model.given_columns else ())
    return bytes(coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0"))


def decode_layer(data: bytes, model: SymbolModel, places: Size, given: Given, size: Size) -> Symbols:
    """Invert `encode_layer`; `places` is (h, w). Raises CorruptFileError where the check fails."""
    shape = (1, model.columns, *places)
    if math.prod(shape) * LEAST_BITS > 8 * len(data) + _CUT_BITS:
        raise CorruptFileError(f"{len(data)} bytes for {math.prod(shape)} symbols: its size or its bytes were changed")
    words = np.frombuffer(data + b"\0" * (-len(data) % 4), dtype="<u4").astype(np.uint32)
    if words.size == 0 or data[-1] == 0:
        raise CorruptFileError("a layer without bytes, or with a zero byte at its end, was damaged")
    coder = constriction.stream.stack.AnsCoder(words)
    try:
        symbols = model.for_size(size).pop(coder, shape, given if model.given_columns else ())
    except MismatchError as error:
        raise CorruptFileError(f"a layer whose size is not its own: {error}") from error
    if not np.array_equal(coder.get_compressed(), _start(symbols, given, size)):
        raise CorruptFileError("the check value of a layer does not match its symbols: bits were changed")
    return symbols


@dataclass(frozen=True)
class Packet:
    """A packet, whole or cut.

    Attributes:
        size: of the picture.
        ends: (m + 1,) where the first layer begins, and each one ends.
        data: all that is there.
    """

    size: Size
    ends: tuple[int, ...]
    data: bytes

    def layer(self, place: int) -> bytes | None:
        """The bytes of the layer at this place, None where they were cut off."""
        start, end = self.ends[place : place + 2]
        return self.data[start:end] if end <= len(self.data) else None


def join_picture(size: Size, parts: Sequence[bytes]) -> bytes:
    """The size of a picture and the bytes of its layers -> a packet."""
    return write_size(size) + join_layers(parts)


def split_picture(data: bytes, count: int) -> Packet:
    """Invert `join_picture` for `count` layers. Raises CorruptFileError where its head is none, or more follows."""
    (height, width, *lengths), first = head_of(data, 2 + count)
    size = (height, width)
    check_size(size, CorruptFileError)
    return Packet(size, tuple(ends_of(data, lengths, first)), data)


def write_size(size: Size) -> bytes:
    """A size as it stands before a layer that lies alone."""
    return write_varints(np.array(size, np.uint64))


def read_size(data: bytes) -> tuple[Size, bytes]:
    """Invert it: the size, and what follows. Raises CorruptFileError."""
    (height, width), first = head_of(data, 2)
    check_size((height, width), CorruptFileError)
    return (height, width), data[first:]


def _start(symbols: Symbols, given: Given, size: Size) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    check = zlib.crc32(np.array(size, "<i4").tobytes())
    for part in (*given, symbols):
        check = zlib.crc32(np.ascontiguousarray(part, "<i4").tobytes(), check)
    return np.array([check, 1], np.uint32)

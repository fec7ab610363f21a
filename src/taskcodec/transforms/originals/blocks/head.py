"""What stands around a scan in fewer bytes: deflated after usual heads, without the tables that libjpeg makes.

head := deflate(tops, segment*, tail)       after the dictionary of `lepton_heads.bin`
tops := for each of three components its highest diagonal that is not all 0 (1 byte each)
segment := marker (1) length (2) body       as in the file, up to SOS; of DHT segments whose tables follow from the
           C4 00 00 count (1) names         symbols of the scan (`huffman.optimal`) the names of the tables alone
tail := what follows the scan
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskcodec.errors import CorruptFileError
from taskcodec.transforms.originals.blocks.frame import DHT, SOS, Segment, tables_of
from taskcodec.transforms.originals.blocks.huffman import Huffman
from taskcodec.transforms.originals.lepton import WINDOW, usual_heads

LONGEST = 2**20
_TOPS = 3


@dataclass(frozen=True)
class Head:
    """What stands around a scan.

    Attributes:
        tops: of each component the highest diagonal that is not all 0.
        segments: up to that of the scan.
        left_out: the names of the tables of DHT segments that were left out, by the place of the segment.
        tail: what follows the scan.
    """

    tops: tuple[int, ...]
    segments: tuple[Segment, ...]
    left_out: dict[int, bytes]
    tail: bytes

    def filled(self, table: Callable[[int], Huffman | None]) -> list[Segment]:
        """The segments with those tables that were left out, by the bytes that name them."""
        found = list(self.segments)
        for place, names in self.left_out.items():
            parts = [(name, table(name)) for name in names]
            body = b"".join(bytes([name]) + each.content for name, each in parts if each is not None)
            found[place] = Segment(DHT, body)
        return found


def packed_head(head: Head, table: Callable[[int], Huffman | None]) -> bytes:
    """A head in fewer bytes; `table` gives the table that libjpeg would make, by the byte that names it."""
    parts = [bytes(head.tops).ljust(_TOPS, b"\0")]
    for segment in head.segments:
        found = tables_of([segment], DHT) if segment.marker == DHT else []
        if found and all((made := table(name)) is not None and made.content == content for name, content in found):
            parts.append(bytes([DHT, 0, 0, len(found), *(name for name, _ in found)]))
        else:
            parts.append(bytes(segment)[1:])
    coder = zlib.compressobj(9, zlib.DEFLATED, WINDOW, 9, zlib.Z_DEFAULT_STRATEGY, usual_heads())
    return coder.compress(b"".join([*parts, head.tail])) + coder.flush()


def unpacked_head(data: bytes) -> Head:
    """Invert `packed_head`. Raises CorruptFileError."""
    coder = zlib.decompressobj(WINDOW, usual_heads())
    try:
        text = coder.decompress(data, LONGEST)
    except zlib.error as error:
        raise CorruptFileError(f"the head of a JPEG file is damaged ({error})") from error
    segments, left_out, at = list[Segment](), dict[int, bytes](), _TOPS
    while not segments or segments[-1].marker != SOS:
        marker, length = text[at : at + 1], int.from_bytes(text[at + 1 : at + 3], "big")
        body = text[at + 3 : at + 1 + length]
        if marker == bytes([DHT]) and not length:
            body = text[at + 4 : at + 4 + text[at + 3]] if at + 3 < len(text) else b""
            left_out[len(segments)], length = body, 3 + len(body)
        if not coder.eof or not marker or length < 2 or at + 1 + length > len(text):
            raise CorruptFileError("the head of a JPEG file is damaged")
        segments.append(Segment(marker[0], body))
        at += 1 + length
    return Head(tuple(text[:_TOPS]), tuple(segments), left_out, text[at:])


def tables_by_name(segments: Sequence[Segment]) -> dict[int, Huffman]:
    """The Huffman tables of a head by the bytes that name them; the last of a name counts."""
    return {name: Huffman(content) for name, content in tables_of(list(segments), DHT)}

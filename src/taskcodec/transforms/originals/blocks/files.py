"""Small baseline JPEG files in fewer bytes, many at a time; see `taskcodec.transforms.originals.blocks.context`.

content := varint(bytes of the head) head stream
"""

from collections.abc import Sequence

import numpy as np

from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints, write_varints
from taskcodec.errors import CorruptFileError
from taskcodec.transforms.originals.blocks.coefficients import Picture, coded, decoded, top_of
from taskcodec.transforms.originals.blocks.frame import DQT, Frame, Segment, Unfit, frame_of, split_head, tables_of
from taskcodec.transforms.originals.blocks.head import Head, packed_head, tables_by_name, unpacked_head
from taskcodec.transforms.originals.blocks.huffman import Huffman, Ints, optimal
from taskcodec.transforms.originals.blocks.scan import (
    Planes,
    Symbols,
    Tables,
    read_scan,
    symbols_of,
    write_scan,
)
from taskcodec.transforms.originals.blocks.streams import Popper

_START = b"\xff\xd8"


def may_fit(data: bytes) -> bool:
    """Whether the head of a JPEG file is that of one of ours."""
    try:
        frame_of(split_head(data)[0])
    except Unfit:
        return False
    return True


def pack_files(files: Sequence[bytes]) -> list[bytes | None]:
    """JPEG files -> their contents, None of those that are none of ours. What is given back is not compared here."""
    taken = [taken_apart(data) for data in files]
    there = [each for each in taken if each is not None]
    streams = coded([picture for picture, _ in there], [planes for _, planes in there])
    found = iter([_content(picture, planes, stream) for (picture, planes), stream in zip(there, streams, strict=True)])
    return [None if each is None else next(found) for each in taken]


def unpack_files(contents: Sequence[bytes]) -> list[bytes]:
    """Invert `pack_files`. Raises CorruptFileError where one is damaged."""
    pictures, streams = list[Picture](), list[Popper]()
    for content in contents:
        ends = [at for at, byte in enumerate(content[:MAX_VARINT_BYTES]) if byte < 128][:1]
        start = ends[0] + 1 if ends else 0
        length = int(read_varints(content[:start])[0]) if ends else 0
        head = unpacked_head(content[start : start + length])
        try:
            pictures.append(_picture(head))
        except Unfit as error:
            raise CorruptFileError(f"the head of a JPEG file is damaged ({error})") from error
        streams.append(Popper(content[start + length :]))
    planes = decoded(pictures, streams)
    try:
        return [_put_together(picture, each) for picture, each in zip(pictures, planes, strict=True)]
    except Unfit as error:
        raise CorruptFileError(f"the coefficients of a JPEG file are damaged ({error})") from error


def taken_apart(data: bytes) -> tuple[Picture, Planes] | None:
    """A JPEG file as its head and its coefficients; None of those that are none of ours."""
    try:
        segments, at = split_head(data)
        frame, tables = frame_of(segments), tables_by_name(segments)
        planes, length = read_scan(data[at:], frame, _numbered(frame, tables))
        head = Head(tuple(map(top_of, planes)), tuple(segments), {}, data[at + length :])
        return _picture(head), planes
    except Unfit:
        return None


def _picture(head: Head) -> Picture:
    segments = list(head.segments)
    frame = frame_of(segments)
    return Picture(frame, _steps(segments, frame), head)


def _content(picture: Picture, planes: Planes, stream: bytes) -> bytes:
    symbols = symbols_of(planes, picture.frame)
    head = packed_head(picture.head, _Made(symbols))
    return write_varints(np.array([len(head)], np.uint64)) + head + stream


def _put_together(picture: Picture, planes: Planes) -> bytes:
    symbols = symbols_of(planes, picture.frame)
    segments = picture.head.filled(_Made(symbols))
    scan = write_scan(symbols, _numbered(picture.frame, tables_by_name(segments)))
    return _START + b"".join(map(bytes, segments)) + scan + picture.head.tail


class _Made:
    """The tables that libjpeg makes for the symbols of a scan, by the bytes that name them."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols, self._known = symbols, dict[int, Huffman | None]()

    def __call__(self, name: int) -> Huffman | None:
        if name not in self._known:
            self._known[name] = optimal(self._symbols.counts(2 * (name & 15) + (name >> 4)))
        return self._known[name]


def _numbered(frame: Frame, tables: dict[int, Huffman]) -> Tables:
    """The tables of a scan. Raises Unfit where one is missing."""
    names = {each.dc for each in frame.components} | {16 + each.ac for each in frame.components}
    if not names <= tables.keys():
        raise Unfit("a Huffman table that is not there")
    own = {name: tables[name] for name in names}
    return Tables({n: t for n, t in own.items() if n < 16}, {n - 16: t for n, t in own.items() if n >= 16})


def _steps(segments: list[Segment], frame: Frame) -> Ints:
    """(components, 64) of quantization. Raises Unfit where one is missing, or of more than 8 bits."""
    tables = dict(tables_of(segments, DQT))
    numbers = [each.quantizer for each in frame.components]
    if any(number not in tables or 0 in tables[number] for number in numbers):
        raise Unfit("a quantization table that is not there, or none of ours")
    return np.stack([np.frombuffer(tables[number], np.uint8).astype(np.int64) for number in numbers])

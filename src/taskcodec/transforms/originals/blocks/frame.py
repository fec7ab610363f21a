"""What the head of a JPEG file says of its one scan: sizes, components, tables (ITU-T T.81, annex B)."""

from dataclasses import dataclass
from itertools import pairwise

SOI, SOF0, SOF1, DHT, DQT, SOS, DRI = 0xD8, 0xC0, 0xC1, 0xC4, 0xDB, 0xDA, 0xDD
_OTHER_FRAMES = {0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xD0)}
"""Progressive, lossless, arithmetic, hierarchical: none of ours."""
MOST_BLOCKS = 2**9
"""Of a file: 176 x 176 pixels with colour at half of that. Larger ones would take too long: a block takes 0.1 ms."""
BLOCK = 64


class Unfit(Exception):
    """A JPEG file that this room does not code, or that it cannot give back."""


@dataclass(frozen=True)
class Segment:
    """A marker and what stands behind its length."""

    marker: int
    body: bytes

    def __bytes__(self) -> bytes:
        return bytes([0xFF, self.marker]) + (len(self.body) + 2).to_bytes(2, "big") + self.body


@dataclass(frozen=True)
class Component:
    """A colour plane.

    Attributes:
        across, down: its blocks in a unit of the scan.
        quantizer: number of its quantization table.
        dc, ac: numbers of its Huffman tables.
    """

    across: int
    down: int
    quantizer: int
    dc: int
    ac: int


@dataclass(frozen=True)
class Frame:
    """A baseline frame of one scan.

    Attributes:
        units_across, units_down: of the scan.
        components: 1 or 3.
    """

    units_across: int
    units_down: int
    components: tuple[Component, ...]

    def shape(self, component: Component) -> tuple[int, int]:
        """(rows, columns) of a component's blocks."""
        return self.units_down * component.down, self.units_across * component.across

    @property
    def blocks(self) -> int:
        """Of all components."""
        return self.units_across * self.units_down * sum(each.across * each.down for each in self.components)


def split_head(data: bytes) -> tuple[list[Segment], int]:
    """The segments of a file up to that of its first scan, and where its scan begins. Raises Unfit."""
    at, found = 2, list[Segment]()
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise Unfit("a head that ends early")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            raise Unfit("a segment that ends early")
        found.append(Segment(data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
        if found[-1].marker == SOS:
            return found, at


def frame_of(segments: list[Segment]) -> Frame:
    """What the segments say of the scan. Raises Unfit where it is none of ours."""
    markers = [each.marker for each in segments]
    frames = [each.body for each in segments if each.marker in (SOF0, SOF1)]
    if len(frames) != 1 or _OTHER_FRAMES.intersection(markers) or DRI in markers:
        raise Unfit("another kind of JPEG")
    body, scan = frames[0], segments[-1].body
    count = body[5] if len(body) > 5 and body[0] == 8 else 0
    if count not in (1, 3) or len(body) != 6 + 3 * count or len(scan) != 4 + 2 * count:
        raise Unfit("another kind of frame")
    if scan[0] != count or scan[-3:] != b"\0\x3f\0":
        raise Unfit("a scan of a part of the picture")
    components = tuple(_component(body[6 + 3 * c : 9 + 3 * c], scan[1 + 2 * c : 3 + 2 * c]) for c in range(count))
    if count == 1:  # whose blocks are not interleaved with others
        components = (Component(1, 1, components[0].quantizer, components[0].dc, components[0].ac),)
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    across, down = (8 * max(getattr(each, name) for each in components) for name in ("across", "down"))
    frame = Frame(-(-width // across), -(-height // down), components)
    if any(a.across < b.across or a.down < b.down for a, b in pairwise(components)):
        raise Unfit("a first component that is not the finest")
    if len({(each.across, each.down) for each in components[1:]}) > 1:
        raise Unfit("planes of colour of two sizes")
    if not 0 < frame.blocks <= MOST_BLOCKS:
        raise Unfit("more blocks than are coded here")
    return frame


def _component(frame: bytes, scan: bytes) -> Component:
    across, down = frame[1] >> 4, frame[1] & 15
    if frame[0] != scan[0] or across not in (1, 2) or down not in (1, 2) or scan[1] & 0xEE or frame[2] > 3:
        raise Unfit("an unusual component")
    return Component(across, down, frame[2], scan[1] >> 4, scan[1] & 15)


def tables_of(segments: list[Segment], marker: int) -> list[tuple[int, bytes]]:
    """The tables of DQT or DHT segments in order: the byte that names one, and what it says. Raises Unfit."""
    found = list[tuple[int, bytes]]()
    for body in (each.body for each in segments if each.marker == marker):
        at = 0
        while at < len(body):
            length = 64 << (body[at] >> 4) if marker == DQT else 16 + sum(body[at + 1 : at + 17])
            if at + 1 + length > len(body) or (marker == DQT and body[at] >> 4 > 1):
                raise Unfit("tables that end early")
            found.append((body[at], body[at + 1 : at + 1 + length]))
            at += 1 + length
    return found

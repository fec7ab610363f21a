"""The bytes of a baseline scan <-> quantized coefficients (ITU-T T.81, annex F), exactly."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from taskcodec.transforms.originals.blocks.frame import BLOCK, Frame, Unfit
from taskcodec.transforms.originals.blocks.huffman import Huffman, Ints

_DC_BITS, _AC_BITS = 11, 10
"""Of magnitudes, at most."""
_END, _SIXTEEN = 0x00, 0xF0
Planes = list[npt.NDArray[np.int32]]
"""Of each component (rows, columns, 64) coefficients in zigzag order."""


@dataclass(frozen=True)
class Tables:
    """The Huffman tables of a scan, by number."""

    dc: dict[int, Huffman]
    ac: dict[int, Huffman]


def order_of(frame: Frame) -> list[Ints]:
    """For each component, where its blocks stand in the scan, (rows, columns)."""
    parts, per_unit = [], sum(each.across * each.down for each in frame.components)
    units, first = np.arange(frame.units_across * frame.units_down), 0
    for each in frame.components:
        here = units[:, None] * per_unit + first + np.arange(each.across * each.down)
        shaped = here.reshape(frame.units_down, frame.units_across, each.down, each.across)
        parts.append(shaped.transpose(0, 2, 1, 3).reshape(frame.shape(each)))
        first += each.across * each.down
    return parts


def read_scan(data: bytes, frame: Frame, tables: Tables) -> tuple[Planes, int]:
    """Scan bytes (what follows them too) -> coefficients, and how many bytes the scan has. Raises Unfit."""
    end = _end_of_scan(data)
    plain = data[:end].replace(b"\xff\x00", b"\xff")
    padded = np.frombuffer(plain + b"\xff" * 8, np.uint8).astype(np.uint64)
    windows = np.zeros(len(padded) - 7, np.uint64)
    for byte in range(5):
        windows = windows << np.uint64(8) | padded[byte : byte + len(windows)]
    units = [
        (c, tables.dc[each.dc].by_window, tables.ac[each.ac].by_window)
        for c, each in enumerate(frame.components)
        for _ in range(each.across * each.down)
    ]
    values, at = _read_blocks(windows.tolist(), 8 * len(plain), units, frame)
    if at > 8 * len(plain) or 8 * len(plain) - at > 7:
        raise Unfit("a scan that does not end where its blocks do")
    flat = np.array(values, np.int32).reshape(-1, BLOCK)
    return [flat[where] for where in order_of(frame)], end


def _read_blocks(
    windows: list[int], bits: int, units: Sequence[tuple[int, "array[int]", "array[int]"]], frame: Frame
) -> tuple[list[int], int]:
    """Coefficients of all blocks in the order of the scan, and the bits that were read.

    A window is 40 bits from a byte on: a code of up to 16 bits and its magnitude, of up to 11, lie in it.
    """
    out = [0] * (BLOCK * frame.blocks)
    before, at, block = [0] * len(frame.components), 0, 0
    for _ in range(frame.units_across * frame.units_down):
        for component, dc, ac in units:
            if at > bits:
                raise Unfit("a scan that ends early")
            window = windows[at >> 3] << (at & 7)
            code = dc[window >> 24 & 0xFFFF]
            size, length = code & 255, code >> 8
            if not code or size > _DC_BITS:
                raise Unfit("a code that stands for nothing")
            if size:
                value = window >> (40 - length - size) & ((1 << size) - 1)
                before[component] += value if value >> (size - 1) else value - (1 << size) + 1
            out[block] = before[component]
            at += length + size
            place = block + 1
            block += BLOCK
            while place < block:
                if at > bits:
                    raise Unfit("a scan that ends early")
                window = windows[at >> 3] << (at & 7)
                code = ac[window >> 24 & 0xFFFF]
                size, length = code & 15, code >> 8
                if size:
                    place += code >> 4 & 15
                    if size > _AC_BITS or place >= block:
                        raise Unfit("a coefficient behind its block")
                    value = window >> (40 - length - size) & ((1 << size) - 1)
                    out[place] = value if value >> (size - 1) else value - (1 << size) + 1
                    place += 1
                    at += length + size
                elif code & 255 == _SIXTEEN:
                    place += 16
                    at += length
                elif code and code & 255 == _END:
                    at += length
                    break
                else:
                    raise Unfit("a code that stands for nothing")
            if place > block:
                raise Unfit("a coefficient behind its block")
    return out, at


def _end_of_scan(data: bytes) -> int:
    """Where the marker behind a scan is, or the end of the file. Raises Unfit on half a marker."""
    at = -2
    while (at := data.find(b"\xff", at + 2)) >= 0:
        if at + 1 == len(data):
            raise Unfit("a scan that ends in half a marker")
        if data[at + 1]:
            return at
    return len(data)


@dataclass(frozen=True)
class Symbols:
    """What a scan codes, in its order.

    Attributes:
        table: (n,) of each symbol, 2 * number for DC and 2 * number + 1 for AC.
        symbol: (n,) of 8 bits.
        extra: (n,) the magnitude bits that follow it.
        size: (n,) how many.
    """

    table: Ints
    symbol: Ints
    extra: Ints
    size: Ints

    def counts(self, table: int) -> Ints:
        """(256,) how often each symbol of a table is there."""
        return np.bincount(self.symbol[self.table == table], minlength=256)


def symbols_of(planes: Planes, frame: Frame) -> Symbols:
    """Coefficients -> the symbols of their scan. Raises Unfit on magnitudes that no baseline scan has."""
    order = order_of(frame)
    blocks = np.zeros((frame.blocks, BLOCK), np.int64)
    dc_table, ac_table = np.zeros(frame.blocks, np.int64), np.zeros(frame.blocks, np.int64)
    for plane, where, each in zip(planes, order, frame.components, strict=True):
        blocks[where] = plane
        inside = np.sort(where, axis=None)
        blocks[inside, 0] = np.diff(blocks[inside, 0], prepend=0)
        dc_table[inside], ac_table[inside] = 2 * each.dc, 2 * each.ac + 1
    size = _bit_lengths()[np.abs(blocks).clip(0, 2**12 - 1)]
    if size[:, 0].max(initial=0) > _DC_BITS or size[:, 1:].max(initial=0) > _AC_BITS:
        raise Unfit("a coefficient larger than a baseline scan has")
    extra = np.where(blocks < 0, blocks + (1 << size) - 1, blocks)
    row, column = np.nonzero(blocks[:, 1:])
    column = column + 1
    first = np.r_[True, row[1:] != row[:-1]] if len(row) else np.zeros(0, bool)
    run = column - 1 - np.where(first, 0, np.r_[0, column[:-1]]) if len(row) else column
    long = run >> 4
    last = np.zeros(frame.blocks, np.int64)
    np.maximum.at(last, row, column)
    ends = np.flatnonzero(last < BLOCK - 1)
    longs = np.repeat(np.arange(len(row)), long)
    # In the order of the scan: a block's DC, then before each coefficient its runs of sixteen, last its end.
    place = np.concatenate(
        [
            np.arange(frame.blocks) * 256,
            row * 256 + 2 * column + 1,
            row[longs] * 256 + 2 * column[longs],
            ends * 256 + 255,
        ]
    )
    table = np.concatenate([dc_table, ac_table[row], ac_table[row[longs]], ac_table[ends]])
    symbol = np.concatenate(
        [size[:, 0], (run & 15) << 4 | size[row, column], np.full(len(longs), _SIXTEEN), np.full(len(ends), _END)]
    )
    none = np.zeros(len(longs) + len(ends), np.int64)
    sizes = np.concatenate([size[:, 0], size[row, column], none])
    extras = np.concatenate([extra[:, 0], extra[row, column], none])
    sorted_ = np.argsort(place, kind="stable")
    return Symbols(table[sorted_], symbol[sorted_], extras[sorted_], sizes[sorted_])


def write_scan(symbols: Symbols, tables: Tables) -> bytes:
    """Symbols -> the bytes of their scan, filled up with ones. Raises Unfit where a table lacks a symbol."""
    by_number = {2 * n: each for n, each in tables.dc.items()} | {2 * n + 1: each for n, each in tables.ac.items()}
    codes, lengths = np.zeros((8, 256), np.int64), np.zeros((8, 256), np.int64)
    for number, each in by_number.items():
        codes[number], lengths[number] = each.codes
    length = lengths[symbols.table, symbols.symbol]
    if not length.all():
        raise Unfit("a symbol without a code")
    value = codes[symbols.table, symbols.symbol] << symbols.size | symbols.extra
    length = length + symbols.size
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    bit = np.arange(total) - np.repeat(ends - length, length)
    bits = np.repeat(value, length) >> (np.repeat(length, length) - 1 - bit) & 1
    filled = np.ones(-(-total // 8) * 8, np.uint8)
    filled[:total] = bits
    return np.packbits(filled).tobytes().replace(b"\xff", b"\xff\x00")


@cache
def _bit_lengths() -> Ints:
    return np.array([number.bit_length() for number in range(2**12)], np.int64)

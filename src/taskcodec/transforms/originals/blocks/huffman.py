"""Huffman tables of JPEG files (ITU-T T.81, annexes C and K): codes from tables, and the tables that encoders make."""

import heapq
from array import array
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.transforms.originals.blocks.frame import Unfit

LONGEST = 16
"""Bits of a code."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Huffman:
    """A table as a DHT segment has it.

    Attributes:
        content: how many codes there are of 1 to 16 bits (16 bytes), then the symbols in the order of their codes.
    """

    content: bytes

    @cached_property
    def codes(self) -> tuple[Ints, Ints]:
        """(256,) codes and (256,) their lengths in bits, by symbol; 0 of symbols without. Raises Unfit."""
        codes, lengths, code, at = np.zeros(256, np.int64), np.zeros(256, np.int64), 0, LONGEST
        for length, count in enumerate(self.content[:LONGEST], 1):
            for symbol in self.content[at : at + count]:
                if lengths[symbol]:
                    raise Unfit("a Huffman table that names a symbol twice")
                codes[symbol], lengths[symbol] = code, length
                code += 1
            at += count
            if code > 1 << length:
                raise Unfit("a Huffman table of too many codes")
            code <<= 1
        return codes, lengths

    @cached_property
    def by_window(self) -> "array[int]":
        """length << 8 | symbol of the code that the next 16 bits begin with, by these; 0 where there is none."""
        codes, lengths = self.codes
        found = np.zeros(1 << LONGEST, np.uint16)
        for symbol in np.flatnonzero(lengths).tolist():
            spare = LONGEST - int(lengths[symbol])
            first = int(codes[symbol]) << spare
            found[first : first + (1 << spare)] = int(lengths[symbol]) << 8 | symbol
        return array("H", found.tobytes())


def optimal(counts: Ints) -> Huffman | None:
    """The table that libjpeg makes of (256,) counts of symbols (`jpeg_gen_optimal_table`); None where it makes none."""
    used = np.flatnonzero(counts).tolist()
    heap = [(int(counts[symbol]), -symbol) for symbol in used] + [(1, -256)]  # so that no code is all ones
    heapq.heapify(heap)
    # Whatever is joined keeps the place of its rarer half, by which ties are settled: the last place goes first.
    nodes, parents, top = {place: -place for _, place in heap}, dict[int, int](), 257
    while len(heap) > 1:
        (rare, place), (other, second) = heapq.heappop(heap), heapq.heappop(heap)
        parents[nodes[place]] = parents[nodes[second]] = nodes[place] = top
        heapq.heappush(heap, (rare + other, place))
        top += 1
    depths = {top - 1: 0}
    for node in range(top - 2, 256, -1):
        depths[node] = depths[parents[node]] + 1
    lengths = {symbol: depths[parents[symbol]] + 1 if parents else 0 for symbol in (*used, 256)}
    if max(lengths.values()) > 32:
        return None
    sizes = [0] * 33
    for length in lengths.values():
        sizes[length] += 1
    _shorten(sizes)
    order = sorted(used, key=lambda symbol: (lengths[symbol], symbol))
    return Huffman(bytes(sizes[1 : LONGEST + 1]) + bytes(order))


def _shorten(sizes: list[int]) -> None:
    """Have no code longer than 16 bits, and none that is all ones (T.81, figure K.3)."""
    for length in range(32, LONGEST, -1):
        while sizes[length]:
            shorter = length - 2
            while not sizes[shorter]:
                shorter -= 1
            sizes[length] -= 2
            sizes[length - 1] += 1
            sizes[shorter + 1] += 2
            sizes[shorter] -= 1
    longest = max((length for length in range(LONGEST + 1) if sizes[length]), default=0)
    sizes[longest] -= 1

"""A picture's coefficients <-> bytes, each by a table of its own: an asymmetric numeral system on 16-bit words.

    stream := state (5 bytes) word*         little-endian; words in the order in which they are read

The state starts at START, as `taskcodec.coding.ans` has it, and is back there when all is read: this tells damage. A
coefficient is its table's symbol, or its escape and 16 bits; then as many low bits as its level says.
"""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taskcodec.coding.ans import START
from taskcodec.coding.models.tables import TABLE_BITS
from taskcodec.errors import CorruptFileError

_BITS, _LOWEST, _STATE_BYTES = 16, 1 << 24, 5
_MASK = (1 << TABLE_BITS) - 1
ESCAPED = 1 << 15
Ints = npt.NDArray[np.int64]


def pushed(counts: Sequence[int], befores: Sequence[int]) -> bytes:
    """What codes slots of these counts, of 2**16, before which so many others lie; the first is read first."""
    state, words = START, list[int]()
    limit, spare = _LOWEST >> TABLE_BITS << _BITS, (1 << _BITS) - 1
    for count, before in zip(reversed(counts), reversed(befores), strict=True):
        if state >= count * limit:
            words.append(state & spare)
            state >>= _BITS
        whole, rest = divmod(state, count)
        state = (whole << TABLE_BITS) + rest + before
    return state.to_bytes(_STATE_BYTES, "little") + np.array(words[::-1], "<u2").tobytes()


class Popper:
    """Reads a stream from its front."""

    def __init__(self, data: bytes) -> None:
        if len(data) < _STATE_BYTES or (len(data) - _STATE_BYTES) % 2:
            raise CorruptFileError("the coefficients of a JPEG file were truncated")
        self._state = int.from_bytes(data[:_STATE_BYTES], "little")
        self._words = np.frombuffer(data, "<u2", offset=_STATE_BYTES)[::-1].tolist()

    def pop(self, ladders: Sequence[Sequence[int]], firsts: Sequence[int], lows: Sequence[int]) -> list[int]:
        """The next coefficients.

        Args:
            ladders: of each the cumulative counts of its table, the last slot being the escape.
            firsts: of each the symbol of its table's first slot.
            lows: of each how many low bits follow.
        """
        state, words, found = self._state, self._words, list[int]()
        for ladder, first, low in zip(ladders, firsts, lows, strict=True):
            slot = state & _MASK
            place = bisect_right(ladder, slot) - 1
            before = ladder[place]
            state = (ladder[place + 1] - before) * (state >> TABLE_BITS) + slot - before
            if state < _LOWEST and words:
                state = state << _BITS | words.pop()
            value = first + place
            if place + 2 == len(ladder):
                value = (state & _MASK) - ESCAPED
                state >>= TABLE_BITS
                if state < _LOWEST and words:
                    state = state << _BITS | words.pop()
            if low:
                slot = state & _MASK
                part = slot >> (TABLE_BITS - low)
                state = (state >> TABLE_BITS << (TABLE_BITS - low)) + slot - (part << (TABLE_BITS - low))
                if state < _LOWEST and words:
                    state = state << _BITS | words.pop()
                value = value << low | part
            found.append(value)
        self._state = state
        return found

    def finish(self) -> None:
        """Raise CorruptFileError where something is left, or missing."""
        if self._state != START or self._words:
            raise CorruptFileError("the coefficients of a JPEG file are damaged")

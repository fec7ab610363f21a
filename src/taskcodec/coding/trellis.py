"""The state machine of dependent quantization: which of two quantizers each symbol of a sample is meant for.

    state 0 --quantizer of the state--> symbol 1 --its parity--> state --> symbol 2 --> ...

The first quantizer has the even multiples of a step, the second the odd ones and zero; the parity of a symbol, which
says to which half of its quantizer's points it belongs, chooses the next state (Schwarz et al., "Hybrid video coding
with trellis-coded quantization", DCC 2019; with 4 states this is the machine of H.266). The machines are the systematic
feedback encoders of Ungerboeck's codes for one dimension ("Trellis-coded modulation with redundant signal sets", part
II, 1987, table I), as in trellis-coded quantization (Marcellin and Fischer, 1990). Integers throughout.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

CODES = {
    4: (0o5, 0o2),
    8: (0o13, 0o4),
    16: (0o23, 0o4),
    32: (0o45, 0o10),
    64: (0o103, 0o24),
    128: (0o235, 0o126),
    256: (0o515, 0o362),
}
"""The parity-check polynomials of the code with so many states."""
Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Trellis:
    """The machine with so many states."""

    states: int

    def __post_init__(self) -> None:
        if self.states not in CODES:
            known = ", ".join(map(str, CODES))
            raise CorruptFileError(f"a quantizer of {self.states} states: there are those of {known}")

    @cached_property
    def following(self) -> Bits:
        """(2 * states,) the state after each: at 2 * state + parity."""
        own, other = CODES[self.states]
        state = np.arange(self.states)[:, None]
        return ((state >> 1) ^ ((state & 1) * (own >> 1)) ^ (np.arange(2) * (other >> 1))).astype(np.uint8).ravel()

    def start(self, samples: int) -> Bits:
        """(samples,) the state before the first symbol of each."""
        return np.zeros(samples, np.uint8)

    def second(self, state: Bits) -> Bits:
        """(n,) states -> 1 where the next symbol is of the second quantizer, else 0."""
        return state & np.uint8(1)

    def after(self, state: Bits, symbols: npt.NDArray[np.int32]) -> Bits:
        """(n,) states and the symbols that follow -> the states after these."""
        return self.following[2 * state.astype(np.intp) + (symbols & 1)]

    def along(self, symbols: npt.NDArray[np.int32]) -> Bits:
        """(n, k) symbols -> (n, k) 1 where a symbol is of the second quantizer, else 0."""
        columns = np.ascontiguousarray(symbols.T)
        found, state = np.empty(columns.shape, np.uint8), self.start(len(symbols))
        for row, column in zip(found, columns, strict=True):
            row[:] = self.second(state)
            state = self.after(state, column)
        return found.T

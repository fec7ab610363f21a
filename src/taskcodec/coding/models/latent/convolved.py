"""Parts of bits-back that convolutions in integers give: latents by tables of Gaussians, bytes by mixtures.

    symbols (n, h, w, c) --stack--> at each place an index and a mean of every latent,  or logits of every byte
    latent = mean + what a table codes, which the index says;       logits --mixture--> byte

All have rows as (n, m) symbols, in the order of (h, w, c).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from taskcodec.coding.models.integer_network import MAX_INPUT, Integers
from taskcodec.coding.models.mixture import Mixture
from taskcodec.coding.models.runs import Chosen, bits_of, pop_runs, push_runs
from taskcodec.coding.models.spatial.convolution import Stack
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.symbol_model import Bits, Given, Symbols

SLICE_NUMBERS = 1 << 14
"""Places whose inner values, or bytes whose probabilities, are in memory at a time: about so many, but a whole row."""
Size = tuple[int, int]


class Told(Protocol):
    """What is told of the symbols of a part: (n, places, outputs) whole numbers."""

    def __call__(self, rows: int, given: Given) -> Integers: ...


@dataclass(frozen=True, eq=False)
class ByStack:
    """Convolutions tell it, of given symbols.

    Attributes:
        stack: reads them.
        size: (h, w) of their places.
        sizes: (h, w) of what each convolution that grows should give, in order.
    """

    stack: Stack
    size: Size
    sizes: tuple[Size, ...] = ()

    def __call__(self, rows: int, given: Given) -> Integers:
        """(n, places, outputs) of [(n, h * w * inputs)]."""
        (below,) = given
        places = max(h * w for h, w in (self.size, *self.sizes))
        found = [self._of(below[part]) for part in _slices(rows, places)]
        return np.concatenate(found) if found else self._of(below)

    def _of(self, symbols: Symbols) -> Integers:
        told = self.stack(symbols.reshape(-1, *self.size, self.stack.inputs), self.sizes)
        return told.reshape(len(told), told.shape[1] * told.shape[2], self.stack.outputs).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Always:
    """Nothing is given, and the same is told of every row: (places, outputs)."""

    out: Integers

    def __call__(self, rows: int, given: Given) -> Integers:
        """(n, places, outputs)."""
        return np.broadcast_to(self.out, (rows, *self.out.shape))


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Latents by tables of a bank; a part, and where it is `closed` a posterior.

    Attributes:
        told: indices of tables, and then means, of the latents of a place.
        bank: a table for each scale; indices are clipped to it.
        closed: see `runs`.
    """

    told: Told
    bank: Tables
    closed: bool = False

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, m) latents."""
        table, mean = self._chosen(len(symbols), given)
        push_runs(coder, symbols - mean, table, self.bank, self.closed)  # int32 wraps around, and back

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        table, mean = self._chosen(shape[0], given)
        return pop_runs(coder, table, self.bank, self.closed) + mean

    def best(self, given: Given) -> Symbols:
        """(n, m) the means, which are the likeliest."""
        return self._chosen(len(given[0]), given)[1]

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n,) bits of (n, m) latents."""
        table, mean = self._chosen(len(symbols), given)
        return np.asarray(bits_of(symbols - mean, table, self.bank, self.closed).sum(axis=1))

    def _chosen(self, rows: int, given: Given) -> tuple[Chosen, Symbols]:
        """(n, m) tables, and (n, m) means."""
        told = self.told(rows, given)
        channels = told.shape[2] // 2
        flat = rows, told.shape[1] * channels
        table = np.clip(told[:, :, :channels], 0, self.bank.columns - 1).astype(np.uint16)
        mean = np.clip(told[:, :, channels:], -MAX_INPUT, MAX_INPUT).astype(np.int32)
        return table.reshape(flat), mean.reshape(flat)


@dataclass(frozen=True, eq=False)
class MixedBytes:
    """Bytes by mixtures; a part. They are popped row by row.

    Attributes:
        told: logits of all bytes of a place.
        mixture: see there.
    """

    told: Told
    mixture: Mixture

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, c) bytes given latents."""
        for rows in reversed(_slices(*symbols.shape)):
            self.mixture.push(coder, symbols[rows], self._logits(rows, given))

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        found = np.empty((shape[0], shape[1]), np.int32)
        for rows in _slices(shape[0], shape[1]):
            found[rows] = self.mixture.pop(coder, self._logits(rows, given))
        return found

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n,) bits of (n, c) bytes given latents."""
        found = np.empty(len(symbols))
        for rows in _slices(*symbols.shape):
            found[rows] = self.mixture.costs(symbols[rows], self._logits(rows, given)).sum(axis=1)
        return found

    def _logits(self, rows: slice, given: Given) -> Integers:
        """(k, c, B) of some rows."""
        (z,) = given
        told = self.told(len(z[rows]), [z[rows]])
        return told.reshape(len(told), -1, len(self.mixture.tables))


def _slices(rows: int, numbers: int) -> list[slice]:
    """All rows, of so many numbers each, a few at a time."""
    step = max(1, SLICE_NUMBERS // numbers)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]

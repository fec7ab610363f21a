"""The network that chooses the table of each symbol of a picture's latents, in integers, pass by pass.

    neighbours that are decoded, places of the coarser latent --hidden--> --answer--> index of a scale, mean

Each latent is decoded in four passes over its 2 x 2 places, after the coarser one: so a picture of any size takes four
passes a level, each over all of its places at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from taskcodec.coding.models.integer_network import MAX_INPUT, IntegerNetwork, Integers, Linear
from taskcodec.coding.models.overfitted.plan import AROUND, NEAR, PASSES, SEEN, Plan, Size
from taskcodec.coding.symbol_model import Symbols

WEIGHT_BITS = 12
"""Weights are multiples of 2**-WEIGHT_BITS."""
MAGNITUDE_BITS = 4
"""Magnitudes, which are binary logarithms, are multiples of 2**-MAGNITUDE_BITS."""
SELF_BITS = 2
"""A symbol itself is seen as a multiple of a quarter: 2**SELF_BITS units of a magnitude."""
INNER_BITS = 8
"""Inner values are multiples of 2**-INNER_BITS."""
REACH = 1 << 10
"""What is seen is clipped to -REACH ... REACH units of a magnitude."""
INDEX_BITS, INDEX_START = 3, 24
"""An answer of 0 is the scale of this index, and a neper has 2**INDEX_BITS of them."""
PHASES, MEAN_BITS = 3, 2
"""Means are quarters of a symbol."""
ROWS = 1 << 14
"""What is seen is laid out for about so many places at a time."""


def magnitudes(symbols: Symbols) -> Integers:
    """log2(1 + 2 |symbol|) in units of 2**-MAGNITUDE_BITS, on straight lines between powers of two, rounded down."""
    doubled = 1 + 2 * np.minimum(np.abs(symbols.astype(np.int64)), MAX_INPUT)
    whole = np.frexp(doubled.astype(np.float64))[1].astype(np.int64) - 1
    return (whole << MAGNITUDE_BITS) + ((doubled << MAGNITUDE_BITS) >> whole) - (1 << MAGNITUDE_BITS)


def seen_of(latent: Symbols) -> Integers:
    """(h, w) symbols -> (SEEN, h, w) what is seen of each."""
    own = np.clip(latent.astype(np.int64), -REACH, REACH) << SELF_BITS
    return np.clip(np.stack([magnitudes(latent), own]), -REACH, REACH)


@dataclass(frozen=True, eq=False)
class Context:
    """See the module.

    Attributes:
        plan: its sizes.
        weights: of the parts whose names are below, int64.
    """

    plan: Plan
    weights: Mapping[str, Integers]

    @cached_property
    def networks(self) -> list[list[IntegerNetwork]]:
        """That of each level and pass. Raises CorruptFileError where sums may be too large to be exact."""
        return [[self._network(level, number) for number in range(len(PASSES))] for level in range(self.plan.levels)]

    def _network(self, level: int, number: int) -> IntegerNetwork:
        w, c, start = self.weights, self.plan.context, sum(map(len, NEAR[:number]))
        near = w["near"][:, :, start : start + len(NEAR[number])].reshape(c, -1)
        seen = np.concatenate([near, w["coarser"][number].reshape(c, -1)], axis=1)
        shift = MAGNITUDE_BITS + WEIGHT_BITS - INNER_BITS
        hidden = Linear(seen, w["near_bias"][number] << MAGNITUDE_BITS, shift)
        # Both answers by one shift, to eighths of a neper and to quarters of a symbol.
        last = INNER_BITS + WEIGHT_BITS - MEAN_BITS
        finer = np.array([1 << (INDEX_BITS - MEAN_BITS), 1])
        answer = np.zeros((2, c + seen.shape[1]), np.int64)
        answer[:, :c] = w["answer"][number] * finer[:, None]
        bias = (w["answer_bias"][level, number] << INNER_BITS) * finer
        bias += np.array([INDEX_START << last, 0]) + (1 << (last - 1))
        return IntegerNetwork(seen.shape[1], REACH, MAX_INPUT, (hidden,), Linear(answer, bias, last))

    def passes(self, level: int, latent: Symbols, coarser: Symbols | None) -> Iterator[tuple[Size, Integers]]:
        """For each pass of a level where it begins, in rows and columns, and (places, 2) what is said of its places.

        (h, w) symbols of the latent are read as far as passes before have decoded them: a decoder fills them in
        between. Places of a pass are every second one along either side.
        """
        h, w = latent.shape
        above = None if coarser is None else np.pad(seen_of(coarser), ((0, 0), (1, 1), (1, 1)))
        for number, ((top, left), taps) in enumerate(zip(PASSES, NEAR, strict=True)):
            rows, columns = -(-(h - top) // 2), -(-(w - left) // 2)
            if rows < 1 or columns < 1:
                continue
            network = self.networks[level][number]
            own = np.pad(seen_of(latent), ((0, 0), (1, 2), (1, 2)))
            out, step = np.empty((rows, columns, 2), np.int64), max(1, ROWS // columns)
            for first in range(0, rows, step):
                count = min(step, rows - first)
                seen = np.zeros((count, columns, network.inputs), np.int32)
                for at, (dy, dx) in enumerate(taps):
                    y, x = 1 + top + dy + 2 * first, 1 + left + dx
                    part = own[:, y : y + 2 * count - 1 : 2, x : x + 2 * columns - 1 : 2]
                    for which in range(SEEN):
                        seen[:, :, which * len(taps) + at] = part[which]
                for at, (dy, dx) in enumerate(AROUND if above is not None else ()):
                    assert above is not None
                    part = above[:, 1 + dy + first : 1 + dy + first + count, 1 + dx : 1 + dx + columns]
                    for which in range(SEEN):
                        seen[:, :, SEEN * len(taps) + which * len(AROUND) + at] = part[which]
                out[first : first + count] = network(seen.reshape(-1, network.inputs)).reshape(count, columns, 2)
            yield (top, left), out.reshape(-1, 2)

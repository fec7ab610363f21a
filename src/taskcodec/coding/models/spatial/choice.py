"""From what a network says of a symbol to the table that codes it.

A scale has 2**f tables, for densities whose mean is 1/2, 3/2, ... of 2**-(f + 1) symbols above 0: up to one half. The
mean itself is u + 1/2 in that unit, u a whole number; where its fraction is beyond one half, the distance to the next
whole number is coded instead, mirrored. So 2**f tables serve means twice as fine.

    fraction of the mean below 1/2:    symbol = floor(mean) + decoded
    above:                             symbol = floor(mean) + 1 - decoded
"""

from dataclasses import dataclass

import numpy as np

from taskcodec.coding.models.integer_network import MAX_INPUT, Integers
from taskcodec.coding.models.runs import Chosen
from taskcodec.coding.symbol_model import Symbols


@dataclass(frozen=True, eq=False)
class Choice:
    """How each of some symbols is coded.

    Attributes:
        table: of a bank.
        added: see above.
        sign: 1, or -1 where it is mirrored.
    """

    table: Chosen
    added: Symbols
    sign: Symbols

    def residual(self, symbols: Symbols) -> Symbols:
        """Symbols -> what their tables code. Differences of int32 wrap around, as the sums that undo them do."""
        return (symbols - self.added) * self.sign

    def symbols(self, residual: Symbols) -> Symbols:
        """Invert `residual`."""
        return residual * self.sign + self.added


def choose(out: Integers, base: int, levels: int, fraction_bits: int | None) -> Choice:
    """What a network says of m symbols -> how each is coded.

    Args:
        out: (..., m) indices of scales; with `fraction_bits` (..., 2 m), indices and then u.
        base: the first table.
        levels: indices are clipped to 0 ... levels - 1.
        fraction_bits: f; None where means are zero, and each scale has one table.
    """
    if fraction_bits is None:
        index = np.clip(out, 0, levels - 1)
        return Choice((base + index).astype(np.uint16), np.zeros(index.shape, np.int32), np.ones(index.shape, np.int32))
    m = out.shape[-1] // 2
    index, mean = np.clip(out[..., :m], 0, levels - 1), np.clip(out[..., m:], -MAX_INPUT, MAX_INPUT)
    part = mean & ((2 << fraction_bits) - 1)
    above = part >> fraction_bits
    part = np.where(above, (2 << fraction_bits) - 1 - part, part)
    table = base + (index << fraction_bits) + part
    added = (mean >> (fraction_bits + 1)) + above
    return Choice(table.astype(np.uint16), added.astype(np.int32), (1 - 2 * above).astype(np.int32))

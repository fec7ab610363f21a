"""From what a network says of a symbol to the table that codes it.

Means are whole multiples of 1 / parts of a symbol. A scale has a table for each fraction up to one half: `phases` of
them, for 0, 1, ... phases - 1 parts, so parts = 2 (phases - 1), or 1 where there is one table. Where the fraction of
the mean is beyond one half, the distance to the next whole number is coded, mirrored: so four tables serve sixths.

    fraction of the mean at most 1/2:    symbol = floor(mean) + decoded
    above:                               symbol = floor(mean) + 1 - decoded
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


def parts_of(phases: int) -> int:
    """What means are multiples of, in parts of a symbol."""
    return max(1, 2 * (phases - 1))


def choose(out: Integers, base: int, levels: int, phases: int | None) -> Choice:
    """What a network says of m symbols -> how each is coded.

    Args:
        out: (..., m) indices of scales; with `phases` (..., 2 m), indices and then means.
        base: the first table.
        levels: indices are clipped to 0 ... levels - 1.
        phases: tables of a scale; None where means are zero, and each scale has one.
    """
    if phases is None:
        index = np.clip(out, 0, levels - 1)
        return Choice((base + index).astype(np.uint16), np.zeros(index.shape, np.int32), np.ones(index.shape, np.int32))
    m, parts = out.shape[-1] // 2, parts_of(phases)
    index, mean = np.clip(out[..., :m], 0, levels - 1), np.clip(out[..., m:], -MAX_INPUT, MAX_INPUT)
    whole, part = np.divmod(mean, parts)
    above = part >= phases
    table = base + index * phases + np.where(above, parts - part, part)
    return Choice(table.astype(np.uint16), (whole + above).astype(np.int32), np.where(above, -1, 1).astype(np.int32))

"""What is known of a column of symbols before it is modelled."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Symbols = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Alphabet:
    """Symbols 0 ... size - 1, whose neighbours are alike."""

    size: int


@dataclass(frozen=True)
class Whole:
    """Whole numbers of 32 bits, 0 and not coded in rows where the column `gate` is not 0 (None: in all rows)."""

    gate: int | None = None


@dataclass(frozen=True)
class Bits:
    """As many plain bits as the symbol of the column `gate` says: `width` beside the symbol `symbol`, else none."""

    gate: int
    size: int
    symbol: int
    width: int


Shape = Alphabet | Whole | Bits


def moved(shapes: list[Shape], by: int) -> list[Shape]:
    """Shapes of columns that stand `by` columns farther."""
    found = list[Shape]()
    for shape in shapes:
        if isinstance(shape, Whole) and shape.gate is not None:
            found.append(Whole(shape.gate + by))
        elif isinstance(shape, Bits):
            found.append(Bits(shape.gate + by, shape.size, shape.symbol, shape.width))
        else:
            found.append(shape)
    return found

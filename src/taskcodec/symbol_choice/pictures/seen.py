"""What a search for a layer's symbols is shown, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from taskcodec.coding.symbol_model import Given, Symbols
from taskcodec.layer import Floats


@dataclass(frozen=True, eq=False)
class Seen:
    """Of a layer of one picture.

    Attributes:
        pixels: (1, 3, H, W) in [0, 1].
        latent: (1, c, h, w) that g_a gives.
        given: symbols of the layers below that its model looks at.
        below: (1, c', h, w) what layers below dequantize to, where its synthesis looks at them.
        nearest_below: the same by their nearest symbols: over these is the error that a search keeps to.
    """

    pixels: Floats
    latent: Floats
    given: Given
    below: Floats | None
    nearest_below: Floats | None


@dataclass(frozen=True, eq=False)
class Found:
    """The symbols (1, c, h, w) of a layer; side information (1, h', w', c'') to be sent with them, None for their own.

    Any decodes, since a decoder reads what was sent. `kept` is False where over these layers below the error of the
    nearest symbols over the nearest was not reached.
    """

    symbols: Symbols
    side: Symbols | None = None
    kept: bool = True


Search: TypeAlias = Callable[[Seen], Found]
"""Finds a layer's symbols."""

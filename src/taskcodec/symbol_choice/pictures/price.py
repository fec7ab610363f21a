"""What a bit costs in a search, so that fewer bits are found at the error that there was.

    log2 price = integral - BACK * off,    integral falls by RATE * off a step,    off = log2(error / the nearest's)

A controller of the common kind (proportional and integral): where the error is too large bits become cheap. The error
is that of the integers nearest at each step: what chance adds to it while it is hot would drive the price to nothing.
"""

import math

STARTS = ((1.0, 0.3), (10.0, 1.0))
"""Times the price that the codec was trained at, and times the rate of learning: what a search begins with, one after
the other; the better is taken. Symbols of a codec that was trained for long are nearly right, and small steps at its
price better them. Where training left much to be gained, larger steps and dearer bits do.
"""
RATE, BACK = 1.0, 10.0
"""How much the price follows the error: a per cent of error for one, and for ten, per cent of the price."""
GRAIN = 64
"""Steps of a factor of two that prices are rounded to, so that the last bits of a sum, whose order may depend on the
number of threads, do not decide."""
NONE = 1e-12
"""An error that is none."""
FARTHEST = 20.0
"""Doublings that the price goes from that of training, at most."""


class Price:
    """See the module.

    Attributes:
        bit: what a bit costs now.

    Args:
        trained: what it cost in training.
        error: that of the nearest symbols, above 0.
        first: times that, at which it begins.
    """

    def __init__(self, trained: float, error: float, first: float) -> None:
        self._trained, self._wanted, self._integral = trained, math.log2(error), math.log2(first)
        self.bit = trained * first

    def follow(self, error: float) -> None:
        """A step has this error."""
        off = math.log2(max(error, NONE)) - self._wanted
        self._integral = _near(self._integral - RATE * off)
        self.bit = self._trained * 2.0 ** (round(GRAIN * _near(self._integral - BACK * off)) / GRAIN)


def _near(doublings: float) -> float:
    return min(max(doublings, -FARTHEST), FARTHEST)

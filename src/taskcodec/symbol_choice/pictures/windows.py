"""Parts of a latent that are searched one after the other, so that memory does not grow with the picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

WHOLE, PART = 768, 512
"""Pixels along a side that are searched at once; of a longer side about so many."""


@dataclass(frozen=True)
class Span:
    """Places along one side: of a part, and of what is looked at, since the part's symbols reach so far."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True)
class Window:
    """A part, and what is looked at. Both begin where side information has a place, and end so or with the picture.

    Attributes:
        rows, columns: see `Span`.
        coarse: places to one of side information, in each direction.
    """

    rows: Span
    columns: Span
    coarse: int

    def at(self, factor: int) -> tuple[Any, ...]:
        """What is looked at of a latent that has a place for so many."""
        return (..., *(slice(each.first // factor, -(-each.last // factor)) for each in (self.rows, self.columns)))

    def pixels(self, stride: int) -> tuple[slice, slice]:
        """What is looked at of a picture."""
        rows, columns = (slice(each.first * stride, each.last * stride) for each in (self.rows, self.columns))
        return rows, columns

    def inside(self, shape: Sequence[int], factor: int) -> Tensor:
        """(h, w) whether a place of what is looked at is the part's own."""
        found = torch.zeros(tuple(shape[-2:]), dtype=torch.bool)
        rows, columns = (
            slice((each.start - each.first) // factor, -(-(each.end - each.first) // factor))
            for each in (self.rows, self.columns)
        )
        found[rows, columns] = True
        return found


def windows(places: tuple[int, int], stride: int, border: int, coarse: int) -> Iterator[Window]:
    """(h, w), pixels between two places, places that a symbol reaches, places to one of side information -> parts."""
    rows, columns = (list(_spans(side, stride, border, coarse)) for side in places)
    return (Window(row, column, coarse) for row in rows for column in columns)


def _spans(side: int, stride: int, border: int, coarse: int) -> Iterator[Span]:
    if side * stride <= WHOLE:
        yield Span(0, side, 0, side)
        return
    count = -(-side * stride // PART)
    step = -(-side // (count * coarse)) * coarse
    around = -(-border // coarse) * coarse
    for start, end in pairwise([*range(0, side, step), side]):
        yield Span(start, end, max(0, start - around), min(side, end + around))

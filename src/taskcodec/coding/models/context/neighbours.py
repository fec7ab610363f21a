"""What a number of a picture is foretold by: those near it that come before it, and its place.

rows above        . . . . . . .
its own row       . . . . ? <-- the number, of one channel; of its own pixel the channels before it
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

MAX_REACH = 16
Bytes = npt.NDArray[np.uint8]
Inputs = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Neighbours:
    """See the module. Pictures are (n, H, W, C); beyond their edges there are zeros.

    Attributes:
        shape: (H, W, C).
        reach: so many rows above, and columns to either side, are looked at.
    """

    shape: tuple[int, int, int]
    reach: int

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1 or not 1 <= self.reach <= MAX_REACH:
            raise CorruptFileError(f"a neighbourhood of reach {self.reach} in pictures {self.shape}")

    @property
    def inputs(self) -> int:
        """How many numbers foretell one: neighbours, the channels before it, which channel it is, its place."""
        return int(self._offsets.size) + 2 * (self.shape[2] - 1) + 2

    @property
    def columns(self) -> int:
        """Numbers of a picture, H * W * C: in the order of C they follow from those before."""
        return int(np.prod(self.shape))

    @property
    def padded_shape(self) -> tuple[int, int, int]:
        """Of a picture with zeros about it: none below."""
        h, w, c = self.shape
        return h + self.reach, w + 2 * self.reach, c

    def padded(self, pictures: Bytes) -> Bytes:
        """(n, H, W, C) -> (n, *padded_shape)."""
        r = self.reach
        return np.pad(pictures, ((0, 0), (r, 0), (r, r), (0, 0)))

    def of(self, padded: Bytes, place: npt.NDArray[np.intp], rows: Any = slice(None)) -> Inputs:
        """What foretells numbers.

        Args:
            padded: (n, *padded_shape) pictures, known up to there.
            place: (m,) or (1,) which of the H * W * C numbers.
            rows: (m,) of which pictures, or all of them.

        Returns:
            (m, inputs) or (n, inputs).
        """
        h, w, c = self.shape
        y, x, channel = np.unravel_index(place, self.shape)
        flat = padded.reshape(len(padded), -1)
        start = ((y + self.reach) * (w + 2 * self.reach) + x + self.reach) * c
        at = start[:, None] + self._offsets
        near = flat[:, at[0]] if isinstance(rows, slice) else flat[np.asarray(rows)[:, None], at]
        found = np.zeros((len(near), self.inputs), np.int32)
        count = self._offsets.size
        found[:, :count] = near
        for before in range(c - 1):
            known = channel > before
            own = flat[:, start[0] + before] if isinstance(rows, slice) else flat[np.asarray(rows), start + before]
            found[:, count + before] = np.where(known, own, 0)
            found[:, count + c - 1 + before] = np.where(channel == before + 1, 64, 0)
        found[:, -2] = y * 255 // max(h - 1, 1)
        found[:, -1] = x * 255 // max(w - 1, 1)
        return found

    @cached_property
    def _offsets(self) -> npt.NDArray[np.intp]:
        """Where the numbers of pixels before lie in a padded picture, from its own pixel's first."""
        r, (_, w, c) = self.reach, self.shape
        pixels = [(dy, dx) for dy in range(-r, 1) for dx in range(-r, r + 1) if (dy, dx) < (0, 0)]
        width = w + 2 * r
        return np.array([(dy * width + dx) * c + channel for dy, dx in pixels for channel in range(c)], np.intp)

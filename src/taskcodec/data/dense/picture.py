"""One picture with the truth of dense tasks: what the readers and the scenes give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.data.dense.boxes import Boxes
from taskcodec.errors import UsageError


@dataclass(frozen=True, eq=False)
class DensePicture:
    """A picture and what is known of it; None is what its source does not tell.

    Attributes:
        id: its name in its source.
        pixels: (H, W, 3) uint8, RGB.
        boxes: around its objects, in its pixels; a box covers left <= x < right, top <= y < bottom.
        objects: (H, W) int32, 1 + the row of `boxes` whose object covers the pixel, 0 where none does.
        labels: (H, W) uint8, the class of each pixel; `taskcodec.samples.VOID` where it has none.
        depth: (H, W) float32, metres from the camera's plane; 0 where it is not known.
        whole: the class of the picture as a whole.
    """

    id: str
    pixels: npt.NDArray[np.uint8]
    boxes: Boxes | None = None
    objects: npt.NDArray[np.int32] | None = None
    labels: npt.NDArray[np.uint8] | None = None
    depth: npt.NDArray[np.float32] | None = None
    whole: int | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where a map is not of the picture's size, or of another type."""
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise UsageError(f"{self.id}: pixels are (H, W, 3) uint8, found {_kind(self.pixels)}")
        for what, kind in (("objects", np.int32), ("labels", np.uint8), ("depth", np.float32)):
            found = getattr(self, what)
            if found is not None and (found.shape != self.pixels.shape[:2] or found.dtype != kind):
                expected = f"{self.pixels.shape[:2]} {np.dtype(kind).name}"
                raise UsageError(f"{self.id}: {what} of this picture are {expected}, found {_kind(found)}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


class DensePictures(Protocol):
    """Pictures by number, read or made when asked for.

    box_classes, label_classes: names of the classes of boxes, and of labels; empty where the pictures have none.
    """

    @property
    def name(self) -> str: ...
    @property
    def box_classes(self) -> tuple[str, ...]: ...
    @property
    def label_classes(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> DensePicture: ...


def _kind(array: npt.NDArray[np.generic]) -> str:
    return f"{array.shape} {array.dtype.name}"

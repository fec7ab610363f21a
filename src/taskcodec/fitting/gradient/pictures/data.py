"""Pictures in memory, of any sizes, with what is known of them; and the crops of them that a step sees.

Where a crop is cut follows from the seed, the step and the row alone, so a training that was killed and resumed sees
what it would have seen.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from taskcodec.distortions.tasks import Truth
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.data import Steps
from taskcodec.samples import VOID

LEAST_LEFT = 0.25
"""A box of which a crop leaves a smaller share is not asked for."""


@dataclass(frozen=True, eq=False)
class KnownPicture:
    """A picture and what is known of it; None is what is not.

    Attributes:
        pixels: (H, W, 3) uint8.
        labels: (H, W) uint8 class of each pixel, VOID where it has none.
        depth: (H, W) float32 metres, 0 where it is not known.
        corners: (m, 4) float32 left, top, right, bottom of its boxes, in pixels.
        box_labels: (m,) their classes.
        whole: the class of the picture.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8] | None = None
    depth: npt.NDArray[np.float32] | None = None
    corners: npt.NDArray[np.float32] | None = None
    box_labels: npt.NDArray[np.int64] | None = None
    whole: int | None = None


class Batch(NamedTuple):
    """Crops of pictures (n, 3, H, W) uint8, and their `Truth` by the names of its fields; None is what is not known."""

    pictures: Tensor
    labels: Tensor | None
    depth: Tensor | None
    corners: list[Tensor] | None
    box_labels: list[Tensor] | None
    whole: Tensor | None

    @property
    def truth(self) -> Truth:
        """Pictures in [0, 1], and what is known of them."""
        return Truth(self.pictures.float() / 255, *self[1:])


@dataclass(frozen=True, eq=False)
class PictureSet:
    """What is trained on.

    Attributes:
        pictures: of any sizes; what is known of one is known of all.
        classes: how many classes pixels or pictures have, by the task that has them.
    """

    pictures: Sequence[KnownPicture]
    classes: Mapping[str, int]

    def __post_init__(self) -> None:
        """Raises UsageError where something is known of some pictures only."""
        for field in fields(KnownPicture):
            known = sum(getattr(picture, field.name) is not None for picture in self.pictures)
            if known not in (0, len(self.pictures)):
                raise UsageError(f"{field.name.replace('_', ' ')} of {known} of {len(self.pictures)} pictures alone")

    def identity(self) -> dict[str, Any]:
        """What tells these pictures from others: a hash of all that is known."""
        digest = hashlib.sha256()
        for picture in self.pictures:
            for field in fields(picture):
                value = np.asarray(getattr(picture, field.name) if getattr(picture, field.name) is not None else [])
                digest.update(f"{field.name} {value.shape} {value.dtype}\n".encode())
                digest.update(np.ascontiguousarray(value).data)
        return {"pictures": len(self.pictures), "sha256": digest.hexdigest()}


def crop_of(picture: KnownPicture, top: int, left: int, size: tuple[int, int]) -> KnownPicture:
    """So many rows and columns of a picture. What it lacks repeats its edges; nothing is known of what that shows."""
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    pixels = picture.pixels[rows, columns]
    beyond = ((0, size[0] - pixels.shape[0]), (0, size[1] - pixels.shape[1]))
    labels = None if picture.labels is None else np.pad(picture.labels[rows, columns], beyond, constant_values=VOID)
    depth = None if picture.depth is None else np.pad(picture.depth[rows, columns], beyond)
    corners, box_labels = picture.corners, picture.box_labels
    if corners is not None and box_labels is not None:
        corners, kept = _boxes_in(corners, top, left, size)
        box_labels = box_labels[kept]
    padded = np.pad(pixels, (*beyond, (0, 0)), mode="edge")
    return KnownPicture(padded, labels, depth, corners, box_labels, picture.whole)


def batch_of(pictures: Sequence[KnownPicture]) -> Batch:
    """Pictures of one size side by side."""

    def every(name: str) -> list[Any] | None:
        return None if getattr(pictures[0], name) is None else [getattr(picture, name) for picture in pictures]

    labels, depth, whole = every("labels"), every("depth"), every("whole")
    corners, box_labels = every("corners"), every("box_labels")
    return Batch(
        torch.from_numpy(np.stack([picture.pixels for picture in pictures]).transpose(0, 3, 1, 2).copy()),
        None if labels is None else torch.from_numpy(np.stack(labels).astype(np.int64)),
        None if depth is None else torch.from_numpy(np.stack(depth)),
        None if corners is None else [torch.from_numpy(each) for each in corners],
        None if box_labels is None else [torch.from_numpy(each) for each in box_labels],
        None if whole is None else torch.tensor(whole),
    )


class Crops(Dataset[Batch]):
    """Random crops of the pictures of a step; by (step, rows).

    Args:
        data: the pictures.
        side: of a crop. Where all pictures of a step are smaller along a side, crops are as the largest of them.
        seed: of where they are cut.
    """

    def __init__(self, data: PictureSet, side: int, seed: int) -> None:
        self.data, self.side, self.seed = data, side, seed

    def __len__(self) -> int:
        return len(self.data.pictures)

    def __getitem__(self, step_and_rows: tuple[int, Tensor]) -> Batch:
        step, rows = step_and_rows
        chosen = [(row, self.data.pictures[row]) for row in rows.tolist()]
        height, width = (min(self.side, max(each.pixels.shape[axis] for _, each in chosen)) for axis in (0, 1))
        return batch_of([self._crop(step, row, picture, (height, width)) for row, picture in chosen])

    def _crop(self, step: int, row: int, picture: KnownPicture, size: tuple[int, int]) -> KnownPicture:
        rng, shape = np.random.default_rng([self.seed, step, row]), picture.pixels.shape[:2]
        top, left = (int(rng.integers(max(0, whole - part) + 1)) for whole, part in zip(shape, size, strict=True))
        return crop_of(picture, top, left, size)


class _Numbered(Sampler[tuple[int, Tensor]]):
    """The rows of each step, with the step's number."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        yield from enumerate(self.steps, self.steps.done())


def loader(data: PictureSet, side: int, steps: Steps) -> DataLoader[Batch]:
    """The crops of the steps that it is told."""
    return DataLoader(Crops(data, side, steps.seed), batch_size=None, sampler=_Numbered(steps))


def _boxes_in(
    corners: npt.NDArray[np.float32], top: int, left: int, size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """(k, 4) boxes in the pixels of a crop, and (m,) which these are."""
    ends = np.array([size[1], size[0]] * 2, np.float32)
    moved = np.clip(corners - np.array([left, top, left, top], np.float32), 0, ends).astype(np.float32)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    seen = (moved[:, 2] - moved[:, 0]) * (moved[:, 3] - moved[:, 1])
    kept = (seen > 0) & (seen >= LEAST_LEFT * area)
    return moved[kept], kept

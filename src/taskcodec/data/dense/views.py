"""Dense pictures seen otherwise: some of them, or with the classes of another list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.picture import DensePicture, DensePictures
from taskcodec.errors import UsageError
from taskcodec.samples import VOID, spread_rows


@dataclass(frozen=True)
class Chosen:
    """Some of the pictures, by their numbers."""

    pictures: DensePictures
    rows: tuple[int, ...]

    @property
    def name(self) -> str:
        """That of all."""
        return self.pictures.name

    @property
    def box_classes(self) -> tuple[str, ...]:
        """Those of all."""
        return self.pictures.box_classes

    @property
    def label_classes(self) -> tuple[str, ...]:
        """Those of all."""
        return self.pictures.label_classes

    @property
    def files(self) -> tuple[Path, ...]:
        """(n) the pictures' files. Raises UsageError where they have none."""
        files = files_of(self.pictures)
        return tuple(files[row] for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> DensePicture:
        return self.pictures[self.rows[index]]


@dataclass(frozen=True)
class Relabelled:
    """Pictures whose classes are those of other lists, told by their names, whatever their capitals.

    Boxes of other classes are left out, pixels of other classes are void; a picture's own class is not kept. An empty
    list leaves labels as they are.
    """

    pictures: DensePictures
    box_classes: tuple[str, ...] = ()
    label_classes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """That of the pictures."""
        return self.pictures.name

    @property
    def files(self) -> tuple[Path, ...]:
        """(n) the pictures' files. Raises UsageError where they have none."""
        return files_of(self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> DensePicture:
        picture = self.pictures[index]
        boxes, labels, objects = picture.boxes, picture.labels, picture.objects
        if boxes is not None and self.box_classes:
            of_class = places(self.pictures.box_classes, self.box_classes)[boxes.labels]
            stays = of_class >= 0
            boxes = Boxes(boxes.corners[stays], of_class[stays], boxes.scores[stays], boxes.crowd[stays])
            if objects is not None:
                objects = np.concatenate([[0], np.cumsum(stays) * stays]).astype(np.int32)[objects]
        if labels is not None and self.label_classes:
            table = np.full(VOID + 1, VOID, np.uint8)
            found = places(self.pictures.label_classes, self.label_classes)
            table[: len(found)] = np.where(found >= 0, found, VOID)
            labels = table[labels]
        return replace(picture, boxes=boxes, objects=objects, labels=labels, whole=None)


def spread(pictures: DensePictures, most: int) -> DensePictures:
    """At most so many of the pictures, spread evenly over them: neighbours look alike."""
    if len(pictures) <= most:
        return pictures
    return Chosen(pictures, tuple(int(row) for row in spread_rows(len(pictures), most, nearest=True)))


def places(names: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.int64]:
    """(n,) of each name its place in another list, -1 where it is not in it."""
    known = {name.lower(): place for place, name in enumerate(wanted)}
    return np.array([known.get(name.lower(), -1) for name in names], np.int64)


def files_of(pictures: DensePictures) -> tuple[Path, ...]:
    """The pictures' files. Raises UsageError where they are made, not read."""
    files = getattr(pictures, "files", None)
    if files is None:
        raise UsageError(f"{pictures.name}: these pictures lie in no files, which are compared with")
    return tuple(files)

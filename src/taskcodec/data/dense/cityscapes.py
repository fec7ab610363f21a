"""Cityscapes' folders (Cordts et al. 2016, arXiv:1604.01685): pictures, classes, objects and depth of drives.

    ROOT/leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png     ROOT/gtFine/SPLIT/CITY/NAME_gtFine_{labelIds,instanceIds}.png
    ROOT/disparity/SPLIT/CITY/NAME_disparity.png         ROOT/camera/SPLIT/CITY/NAME_camera.json

Labels are the 19 classes of the benchmark; all others are void. Depth is baseline * f_x / disparity. Maps that a folder
lacks altogether are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.maps import read_labels, read_map, read_pixels, sized
from taskcodec.data.dense.picture import DensePicture
from taskcodec.errors import SourceError, unreadable
from taskcodec.samples import VOID

CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
"""By the benchmark's trainIds."""
LABEL_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Of each class the number that labelIds files have for it."""
OBJECTS = CLASSES[11:]
"""Those that are told apart one by one: instanceIds are 1000 * labelId + number."""


@dataclass(frozen=True)
class CityscapesPictures:
    """Pictures of a split, read when asked for; from `read_cityscapes`.

    Attributes:
        ids: (n) CITY/NAME.
        root, split: where they lie.
        has_labels, has_objects, has_depth: which maps the folder has.
    """

    name: str
    ids: tuple[str, ...]
    root: Path
    split: str
    has_labels: bool
    has_objects: bool
    has_depth: bool

    @property
    def box_classes(self) -> tuple[str, ...]:
        """The eight classes of objects."""
        return OBJECTS if self.has_objects else ()

    @property
    def label_classes(self) -> tuple[str, ...]:
        """The benchmark's 19."""
        return CLASSES if self.has_labels else ()

    @property
    def files(self) -> tuple[Path, ...]:
        """(n) the pictures."""
        return tuple(self._place("leftImg8bit", name, "leftImg8bit.png") for name in self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> DensePicture:
        """Raises SourceError where a file is missing or damaged, or a map is of another size than its picture."""
        name = self.ids[index]
        file = self._place("leftImg8bit", name, "leftImg8bit.png")
        pixels, boxes, objects, labels, depth = read_pixels(file), None, None, None, None
        if self.has_labels:
            place = self._place("gtFine", name, "gtFine_labelIds.png")
            labels = _TRAIN_IDS[sized(place, read_labels(place), file, pixels)]
        if self.has_objects:
            place = self._place("gtFine", name, "gtFine_instanceIds.png")
            boxes, objects = _objects(sized(place, read_map(place), file, pixels))
        if self.has_depth:
            place = self._place("disparity", name, "disparity.png")
            factor = _depth_times_disparity(self._place("camera", name, "camera.json"))
            depth = _depth(sized(place, read_map(place), file, pixels), factor)
        return DensePicture(name, pixels, boxes, objects, labels, depth)

    def _place(self, kind: str, name: str, ending: str) -> Path:
        return self.root / kind / self.split / f"{name}_{ending}"


def read_cityscapes(root: str | Path, split: str = "val") -> CityscapesPictures:
    """The pictures of a split, in the order of cities and names. Raises SourceError where there is none."""
    here = Path(root)
    pictures = here / "leftImg8bit" / split
    found = sorted(pictures.glob("*/*_leftImg8bit.png"))
    if not found:
        raise SourceError(f"{pictures}: no CITY/NAME_leftImg8bit.png")
    ids = tuple(file.relative_to(pictures).as_posix().removesuffix("_leftImg8bit.png") for file in found)
    has_labels, has_objects = (
        any((here / "gtFine" / split).glob(f"*/*_gtFine_{kind}.png")) for kind in ("labelIds", "instanceIds")
    )
    has_depth = any((here / "disparity" / split).glob("*/*_disparity.png"))
    return CityscapesPictures(f"{here.name} {split}", ids, here, split, has_labels, has_objects, has_depth)


def _objects(instances: npt.NDArray[Any]) -> tuple[Boxes, npt.NDArray[np.int32]]:
    """The boxes, by the numbers of instances, and (H, W) objects. A group that is not told apart is a crowd."""
    objects = np.zeros(instances.shape, np.int32)
    corners, labels, crowd = list[list[int]](), list[int](), list[bool]()
    first = len(CLASSES) - len(OBJECTS)
    for number in np.unique(instances):
        of_class, alone = (number // 1000, True) if number >= 1000 else (number, False)
        if of_class not in LABEL_IDS[first:]:
            continue
        rows, columns = np.nonzero(instances == number)
        objects[rows, columns] = len(corners) + 1
        corners.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        labels.append(LABEL_IDS.index(of_class) - first)
        crowd.append(not alone)
    return Boxes.of(corners, labels, None, crowd), objects


def _depth(disparity: npt.NDArray[Any], factor: float) -> npt.NDArray[np.float32]:
    """A file's p stands for (p - 1) / 256 pixels, and 0 for not known; none at all is infinitely far, so not known."""
    pixels = np.maximum(disparity.astype(np.float64) - 1, 0) / 256
    return np.where(pixels > 0, factor / np.maximum(pixels, 1e-9), 0).astype(np.float32)


def _depth_times_disparity(file: Path) -> float:
    """Metres times pixels, of a camera's file."""
    try:
        camera = json.loads(file.read_text(encoding="utf-8"))
        return float(camera["extrinsic"]["baseline"]) * float(camera["intrinsic"]["fx"])
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{file}: no extrinsic baseline and intrinsic fx ({type(error).__name__})") from error


def _train_ids() -> npt.NDArray[np.uint8]:
    """(256,) the class of each labelId."""
    table = np.full(256, VOID, np.uint8)
    table[list(LABEL_IDS)] = np.arange(len(CLASSES))
    return table


_TRAIN_IDS = _train_ids()

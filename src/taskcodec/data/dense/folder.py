"""Plain folders of pictures with depth and labels of the same names, and boxes in a table.

    ROOT/rgb/a/1.jpg   ROOT/depth/a/1.png   ROOT/labels/a/1.png   ROOT/classes.txt   ROOT/boxes.csv

Depth is a PNG or TIFF file of 16 bits (millimetres, unless said otherwise) or an array (.npy); 0 is not known. Labels
are one byte a pixel; those of no class in classes.txt, where there is one, are void.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taskcodec.data.dense.box_table import BoxTable, read_box_table
from taskcodec.data.dense.maps import read_depth, read_labels, read_pixels, sized
from taskcodec.data.dense.picture import DensePicture
from taskcodec.data.folders import IMAGES, walk
from taskcodec.errors import SourceError, unreadable
from taskcodec.samples import VOID

MAPS = (".png", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class FolderLayout:
    """Where what lies, relative to the root.

    Attributes:
        pictures: their folder.
        depth, labels: those of the maps; None where there are none.
        boxes: the table of boxes (`taskcodec.data.dense.box_table`); None where there is none.
        metres: of one unit of depth.
        classes: a file with the name of a class of labels a line, the class 0 first; it may be missing.
        box_classes: names of the classes of boxes.
    """

    pictures: str = "rgb"
    depth: str | None = "depth"
    labels: str | None = "labels"
    boxes: str | None = None
    metres: float = 0.001
    classes: str = "classes.txt"
    box_classes: tuple[str, ...] = ("object",)


@dataclass(frozen=True)
class FolderPictures:
    """Pictures of a folder, read when asked for; from `read_folder`.

    ids: (n) their names in the folder; files: (n) the pictures; depths, labels: (n) their maps, or none at all.
    """

    name: str
    ids: tuple[str, ...]
    files: tuple[Path, ...]
    depths: tuple[Path, ...]
    labels: tuple[Path, ...]
    metres: float
    label_classes: tuple[str, ...] = ()
    table: BoxTable | None = None
    classes_of_boxes: tuple[str, ...] = ()

    @property
    def box_classes(self) -> tuple[str, ...]:
        """What boxes are of; empty where there are none."""
        return () if self.table is None else self.classes_of_boxes

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> DensePicture:
        """Raises SourceError where a file is damaged, or a map is of another size than its picture."""
        file = self.files[index]
        pixels, boxes, labels, depth = read_pixels(file), None, None, None
        if self.labels:
            labels = sized(self.labels[index], read_labels(self.labels[index]), file, pixels)
            if self.label_classes:
                labels = np.where(labels < len(self.label_classes), labels, VOID).astype(np.uint8)
        if self.depths:
            depth = sized(self.depths[index], read_depth(self.depths[index], self.metres), file, pixels)
        if self.table is not None:
            boxes = self.table.boxes(Path(self.ids[index]).with_suffix("").as_posix(), pixels.shape[1::-1])
            if len(boxes) and boxes.labels.max() >= len(self.box_classes):
                raise SourceError(f"{file}: has a box of class {boxes.labels.max()} of {len(self.box_classes)}")
        return DensePicture(self.ids[index], pixels, boxes, labels=labels, depth=depth)


def read_folder(root: str | Path, layout: FolderLayout | None = None) -> FolderPictures:
    """The pictures of a plain folder, in the order of their names; one in sub-folders has its maps in such, too.

    Without a layout it has the folders rgb, depth and labels and the table boxes.csv, or those of them that are there.
    Raises SourceError where there is no picture, or one without a map that the layout names.
    """
    here = Path(root)
    wanted = layout or _usual(here)
    found = [name for name in walk(here / wanted.pictures).files if Path(name).suffix.lower() in IMAGES]
    if not found:
        raise SourceError(f"{here / wanted.pictures}: no pictures")
    depths, labels = (
        () if folder is None else tuple(_map_of(here / folder, name) for name in found)
        for folder in (wanted.depth, wanted.labels)
    )
    files = tuple(here / wanted.pictures / name for name in found)
    classes = _classes(here / wanted.classes)
    table = None if wanted.boxes is None else read_box_table(here / wanted.boxes)
    return FolderPictures(
        here.name, tuple(found), files, depths, labels, wanted.metres, classes, table, wanted.box_classes
    )


def _usual(root: Path) -> FolderLayout:
    depth, labels, boxes = (name if (root / name).exists() else None for name in ("depth", "labels", "boxes.csv"))
    return FolderLayout(depth=depth, labels=labels, boxes=boxes)


def _map_of(folder: Path, name: str) -> Path:
    for suffix in MAPS:
        file = (folder / name).with_suffix(suffix)
        if file.is_file():
            return file
    raise SourceError(f"{folder / name}: no map of this name ({', '.join(MAPS)}); a layout may say that there are none")


def _classes(file: Path) -> tuple[str, ...]:
    """Names, a line each; a line may begin with its number."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise unreadable(file, error) from error
    if all(line.startswith(f"{number} ") for number, line in enumerate(lines)):
        return tuple(line.partition(" ")[2].strip() for line in lines)
    return tuple(lines)

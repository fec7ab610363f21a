"""COCO's format: images, and one JSON file with "images", "annotations" and "categories".

Lin et al., "Microsoft COCO", 2014, arXiv:1405.0312. Boxes come from "bbox"; with `masks`, objects and labels from
"segmentation", polygons or run lengths. A pixel's label is 0 where there is no object, else 1 + the place of its
category; within crowds it is void. Where objects overlap, the smaller one is seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.maps import read_pixels
from taskcodec.data.dense.picture import DensePicture
from taskcodec.errors import SourceError, needing_packages, unreadable
from taskcodec.samples import VOID

_PLACES = ("", "images", "data", "train2017", "val2017")


@dataclass(frozen=True)
class Annotation:
    """One object. label: place of its category; corners: left, top, right, bottom; outline: COCO's "segmentation"."""

    label: int
    corners: tuple[float, float, float, float]
    crowd: bool
    outline: Any = None


@dataclass(frozen=True)
class CocoPictures:
    """Pictures of a folder in COCO's format, read when asked for; from `read_coco`.

    Attributes:
        ids: (n) names of the image files, as the annotations have them.
        files: (n) the image files.
        sizes: (n) width and height, as the annotations have them.
        annotations: (n) the objects of each.
        box_classes: names of the categories, in the file's order.
        masks: whether objects and labels are drawn; needs pycocotools.
    """

    name: str
    ids: tuple[str, ...]
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]
    annotations: tuple[tuple[Annotation, ...], ...]
    box_classes: tuple[str, ...]
    masks: bool = False

    @property
    def label_classes(self) -> tuple[str, ...]:
        """The background, then the categories."""
        return ("background", *self.box_classes) if self.masks else ()

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> DensePicture:
        """Raises SourceError where the image is damaged, or not of the size that the annotations are for."""
        file, size, listed = self.files[index], self.sizes[index], self.annotations[index]
        pixels = read_pixels(file)
        if pixels.shape[:2] != size[::-1]:
            found = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise SourceError(f"{file}: {found}, its boxes are for {size[0]}x{size[1]}")
        objects, labels = _drawn(file, size, listed) if self.masks else (None, None)
        return DensePicture(self.ids[index], pixels, self.boxes(index), objects, labels)

    def boxes(self, index: int) -> Boxes:
        """Those of one picture, without reading it."""
        listed = self.annotations[index]
        return Boxes.of(
            [each.corners for each in listed], [each.label for each in listed], None, [each.crowd for each in listed]
        )


def read_coco(
    folder: str | Path, annotations: str | Path | None = None, limit: int | None = None, masks: bool = False
) -> CocoPictures:
    """A folder in COCO's format.

    Args:
        folder: images lie in it or in images/, data/, train2017/, val2017/, or beside the annotations.
        annotations: the JSON file; by default the only one in FOLDER or FOLDER/annotations.
        limit: the first images only.
        masks: whether objects and labels are wanted, too.

    Raises SourceError where there is no annotation file or there are several, the file is not in COCO's format, or an
    image is missing.
    """
    root = Path(folder)
    file = Path(annotations) if annotations is not None else _annotations(root)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        places = {category["id"]: place for place, category in enumerate(content["categories"])}
        names = tuple(str(category["name"]).strip() for category in content["categories"])
        images = [(i["id"], str(i["file_name"]), (int(i["width"]), int(i["height"]))) for i in content["images"]][
            :limit
        ]
        listed: dict[Any, list[Annotation]] = {}
        for entry in content["annotations"]:
            listed.setdefault(entry["image_id"], []).append(_annotation(entry, places, masks))
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{file}: not in COCO's format ({type(error).__name__}: {error})") from error
    if not images:
        raise SourceError(f"{file}: lists no images")
    if masks and len(names) >= VOID:
        raise SourceError(f"{file}: labels of one byte tell at most {VOID - 1} categories apart, found {len(names)}")
    return CocoPictures(
        root.name,
        tuple(name for _, name, _ in images),
        tuple(_find(root, file, name) for _, name, _ in images),
        tuple(size for _, _, size in images),
        tuple(tuple(listed.get(number, ())) for number, _, _ in images),
        names,
        masks,
    )


def _annotation(entry: dict[str, Any], places: dict[Any, int], masks: bool) -> Annotation:
    left, top, width, height = map(float, entry["bbox"])
    corners = left, top, left + width, top + height
    outline = entry["segmentation"] if masks else None
    return Annotation(places[entry["category_id"]], corners, bool(entry.get("iscrowd", 0)), outline)


def _annotations(root: Path) -> Path:
    found = sorted([*root.glob("*.json"), *root.glob("annotations/*.json")])
    if len(found) != 1:
        raise SourceError(f"{root}: expected one .json file of annotations, found {len(found)}; name one")
    return found[0]


def _find(root: Path, annotations: Path, name: str) -> Path:
    for place in (*(root / place for place in _PLACES), annotations.parent):
        if (place / name).is_file():
            return place / name
    raise SourceError(f"{root}: the image {name} of {annotations.name} is not there")


def _drawn(
    file: Path, size: tuple[int, int], listed: tuple[Annotation, ...]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """(H, W) objects and labels: the largest first, so that what lies on it is seen; crowds below all."""
    objects, labels = np.zeros(size[::-1], np.int32), np.zeros(size[::-1], np.uint8)
    masks = [_mask(file, size, each.outline) for each in listed]
    for place in sorted(range(len(listed)), key=lambda place: (not listed[place].crowd, -masks[place].sum())):
        objects[masks[place]] = place + 1
        labels[masks[place]] = VOID if listed[place].crowd else 1 + listed[place].label
    return objects, labels


def _mask(file: Path, size: tuple[int, int], outline: Any) -> npt.NDArray[np.bool_]:
    """(H, W) where an object is: of polygons, or of run lengths, packed or not."""
    with needing_packages():
        from pycocotools import mask
    width, height = size
    try:
        packed = isinstance(outline, dict) and not isinstance(outline["counts"], list)
        runs = outline if packed else mask.frPyObjects(outline, height, width)
        found = mask.decode(mask.merge(runs) if isinstance(runs, list) else runs)
    except Exception as error:  # compiled code, which raises whatever a broken outline leads it to
        raise SourceError(f"{file}: an object's segmentation is not COCO's ({type(error).__name__})") from error
    if found.shape != (height, width):
        raise SourceError(f"{file}: an object's segmentation is for {found.shape[1]}x{found.shape[0]}")
    return np.asarray(found, dtype=bool)

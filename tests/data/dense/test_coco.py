import json
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from taskcodec.data.dense.coco import read_coco
from taskcodec.errors import SourceError
from taskcodec.samples import VOID

needs_pycocotools = pytest.mark.skipif(find_spec("pycocotools") is None, reason="pycocotools not installed")
SQUARE = {"bbox": [2, 1, 4, 3], "segmentation": [[2, 1, 6, 1, 6, 4, 2, 4]]}
BAND = {"bbox": [0, 2, 10, 2], "segmentation": {"size": [8, 10], "counts": [2, 2] + [6, 2] * 9 + [4]}}


def written(root, listed, **changes):
    """Two pictures of 10 x 8, and objects of the categories 7 (dog) and 3 (cat), in this order."""
    (root / "images").mkdir()
    for number in (1, 2):
        Image.fromarray(np.full((8, 10, 3), number, np.uint8)).save(root / "images" / f"{number}.png")
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 10, "height": 8} for n in (1, 2)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [{"id": 9 - i, "iscrowd": 0, **each} for i, each in enumerate(listed)],
    }
    (root / "annotations.json").write_text(json.dumps(content | changes))
    return root


def test_boxes_by_the_place_of_their_category(tmp_path):
    root = written(
        tmp_path,
        [
            {"image_id": 2, "category_id": 3, **SQUARE},
            {"image_id": 2, "category_id": 7, "iscrowd": 1, "bbox": [0, 0, 10, 8]},
        ],
    )
    pictures = read_coco(root)
    assert (len(pictures), pictures.box_classes, pictures.label_classes) == (2, ("dog", "cat"), ())
    assert pictures.ids == ("1.png", "2.png")
    empty, full = pictures[0], pictures[1]
    assert empty.boxes.corners.shape == (0, 4)
    assert full.pixels.max() == 2
    assert full.boxes.corners.tolist() == [[2, 1, 6, 4], [0, 0, 10, 8]]
    assert full.boxes.labels.tolist() == [1, 0]
    assert full.boxes.crowd.tolist() == [False, True]
    assert full.labels is None
    assert len(read_coco(root, limit=1)) == 1


@needs_pycocotools
def test_masks_of_polygons_and_run_lengths(tmp_path):
    """A crowd lies below all; of two objects the smaller one is seen."""
    corner = {"bbox": [2, 1, 1, 1], "segmentation": [[2, 1, 3, 1, 3, 2, 2, 2]]}
    root = written(
        tmp_path,
        [
            {"image_id": 1, "category_id": 3, **corner},
            {"image_id": 1, "category_id": 7, **SQUARE},
            {"image_id": 1, "category_id": 3, "iscrowd": 1, **BAND},
        ],
    )
    pictures = read_coco(root, masks=True)
    assert pictures.label_classes == ("background", "dog", "cat")
    objects, labels = np.zeros((8, 10), int), np.zeros((8, 10), int)
    objects[2:4], labels[2:4] = 3, VOID
    objects[1:4, 2:6], labels[1:4, 2:6] = 2, 1
    objects[1, 2], labels[1, 2] = 1, 2
    np.testing.assert_array_equal(pictures[0].objects, objects)
    np.testing.assert_array_equal(pictures[0].labels, labels)
    assert pictures[1].objects.max() == 0


@needs_pycocotools
def test_packed_run_lengths(tmp_path):
    from pycocotools import mask

    packed = mask.frPyObjects(BAND["segmentation"], 8, 10)
    packed = {"size": packed["size"], "counts": packed["counts"].decode()}
    root = written(tmp_path, [{"image_id": 1, "category_id": 3, "bbox": BAND["bbox"], "segmentation": packed}])
    assert read_coco(root, masks=True)[0].objects.sum(axis=1).tolist() == [0, 0, 10, 10, 0, 0, 0, 0]


@needs_pycocotools
@pytest.mark.parametrize("outline", [3, [[1, 2]], {"size": [8, 10]}, {"size": [4, 4], "counts": [16]}, [["a"] * 6]])
def test_a_segmentation_that_is_none(tmp_path, outline):
    root = written(tmp_path, [{"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1], "segmentation": outline}])
    with pytest.raises(SourceError, match=r"1\.png: an object's segmentation"):
        read_coco(root, masks=True)[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": []}, "lists no images"),
        ({"categories": 3}, "not in COCO's format"),
        ({"annotations": [{"image_id": 1, "category_id": 99, "bbox": [0, 0, 1, 1]}]}, "not in COCO's format"),
        ({"annotations": [{"image_id": 1, "category_id": 3, "bbox": [0, 0]}]}, "not in COCO's format"),
        ({"images": [{"id": 1, "file_name": "9.png", "width": 1, "height": 1}]}, "9.png of annotations.json is not"),
    ],
)
def test_what_is_not_coco_is_told(tmp_path, changes, told):
    with pytest.raises(SourceError, match=told):
        read_coco(written(tmp_path, [], **changes))


def test_an_image_of_another_size_and_a_damaged_one(tmp_path):
    root = written(tmp_path, [], images=[{"id": n, "file_name": f"{n}.png", "width": 5, "height": 8} for n in (1, 2)])
    (root / "images" / "2.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"1\.png: 10x8, its boxes are for 5x8"):
        read_coco(root)[0]
    with pytest.raises(SourceError, match=r"2\.png: not an image"):
        read_coco(root)[1]

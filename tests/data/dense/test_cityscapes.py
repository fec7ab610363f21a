import json

import numpy as np
import pytest
from PIL import Image

from taskcodec.data.dense.cityscapes import CLASSES, OBJECTS, read_cityscapes
from taskcodec.errors import SourceError
from taskcodec.samples import VOID

NAME = "aachen_000001_000019"
LABELS = np.array([[7, 7, 26, 26], [7, 4, 26, 0], [24, 24, 33, 33]])
INSTANCES = np.array([[7, 7, 26000, 26001], [7, 4, 26000, 0], [24, 24, 33004, 33004]])


def saved(root, kind, ending, values, dtype, name=NAME):
    folder = root / kind / "val" / name.split("_")[0]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}_{ending}.png"
    Image.fromarray(np.asarray(values).astype(dtype)).save(file)
    return file


@pytest.fixture
def root(tmp_path):
    """One picture of 4 x 3 with all its maps."""
    saved(tmp_path, "leftImg8bit", "leftImg8bit", np.full((3, 4, 3), 9), np.uint8)
    saved(tmp_path, "gtFine", "gtFine_labelIds", LABELS, np.uint8)
    saved(tmp_path, "gtFine", "gtFine_instanceIds", INSTANCES, np.uint16)
    disparity = np.full((3, 4), 1 + 256 * 50)
    disparity[0, :2] = [0, 1]
    saved(tmp_path, "disparity", "disparity", disparity, np.uint16)
    camera = tmp_path / "camera" / "val" / "aachen"
    camera.mkdir(parents=True)
    content = {"extrinsic": {"baseline": 0.2}, "intrinsic": {"fx": 2250.0}}
    (camera / f"{NAME}_camera.json").write_text(json.dumps(content))
    return tmp_path


def test_labels_objects_and_depth(root):
    pictures = read_cityscapes(root)
    assert (len(pictures), pictures.ids) == (1, (f"aachen/{NAME}",))
    assert pictures.label_classes == CLASSES
    assert pictures.box_classes == OBJECTS == CLASSES[11:]
    found = pictures[0]
    assert found.pixels.shape == (3, 4, 3)
    assert found.labels.tolist() == [[0, 0, 13, 13], [0, VOID, 13, VOID], [11, 11, 18, 18]]
    # In the order of numbers: a group of persons, two cars, a bicycle.
    assert found.objects.tolist() == [[0, 0, 2, 3], [0, 0, 2, 0], [1, 1, 4, 4]]
    assert [OBJECTS[label] for label in found.boxes.labels] == ["person", "car", "car", "bicycle"]
    assert found.boxes.crowd.tolist() == [True, False, False, False]
    assert found.boxes.corners.tolist() == [[0, 2, 2, 3], [2, 0, 3, 2], [3, 0, 4, 1], [2, 2, 4, 3]]
    # 0.2 m x 2250 pixels / 50 pixels; unknown, and no disparity at all, are 0.
    assert found.depth.tolist() == [[0, 0, 9, 9], [9] * 4, [9] * 4]


def test_pictures_alone(tmp_path):
    saved(tmp_path, "leftImg8bit", "leftImg8bit", np.zeros((2, 2, 3)), np.uint8)
    pictures = read_cityscapes(tmp_path)
    assert pictures.label_classes == pictures.box_classes == ()
    assert (pictures[0].labels, pictures[0].boxes, pictures[0].depth) == (None, None, None)


def test_faults_name_the_file(root):
    with pytest.raises(SourceError, match="train: no CITY/NAME"):
        read_cityscapes(root, "train")
    pictures = read_cityscapes(root)
    camera = root / "camera" / "val" / "aachen" / f"{NAME}_camera.json"
    camera.write_text("{}")
    with pytest.raises(SourceError, match=r"camera\.json: no extrinsic baseline"):
        pictures[0]
    camera.unlink()
    with pytest.raises(SourceError, match=r"camera\.json: cannot be read"):
        pictures[0]
    saved(root, "gtFine", "gtFine_labelIds", LABELS[:2], np.uint8)
    with pytest.raises(SourceError, match=r"labelIds\.png: is 4x2, its picture .* 4x3"):
        pictures[0]

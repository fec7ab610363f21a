import numpy as np
import pytest
from PIL import Image

from taskcodec.data.dense.folder import FolderLayout, read_folder
from taskcodec.errors import SourceError
from taskcodec.samples import VOID

DEPTH = np.array([[0, 1500, 700], [1, 65535, 2]])
LABELS = np.array([[0, 1, 2], [1, 255, 3]])


def saved(file, values, dtype=np.uint8):
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, np.asarray(values))
    else:
        Image.fromarray(np.asarray(values).astype(dtype)).save(file)


@pytest.fixture
def root(tmp_path):
    for name in ("b", "a/1"):
        saved(tmp_path / "rgb" / f"{name}.jpg", np.full((2, 3, 3), 80))
        saved(tmp_path / "depth" / f"{name}.png", DEPTH, np.uint16)
        saved(tmp_path / "labels" / f"{name}.png", LABELS)
    return tmp_path


def test_pictures_with_depth_in_millimetres_and_labels(root):
    pictures = read_folder(root)
    assert pictures.ids == ("a/1.jpg", "b.jpg")
    found = pictures[1]
    assert found.id == "b.jpg"
    assert found.pixels.shape == (2, 3, 3)
    np.testing.assert_allclose(found.depth, DEPTH / 1000, rtol=1e-6)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert pictures.label_classes == ()


def test_classes_of_a_file_make_others_void(root):
    (root / "classes.txt").write_text("sky\nroad\n\n")
    pictures = read_folder(root)
    assert pictures.label_classes == ("sky", "road")
    assert pictures[0].labels.tolist() == [[0, 1, VOID], [1, VOID, VOID]]


def test_numbers_before_classes_are_no_part_of_their_names(root):
    (root / "classes.txt").write_text("0 sky\n1 open road\n")
    assert read_folder(root).label_classes == ("sky", "open road")


def test_boxes_of_a_table(root):
    assert read_folder(root).box_classes == ()
    (root / "boxes.csv").write_text("name,class,xc,yc,w,h\na/1,1,0.5,0.5,0.5,1\na/1,0,0.25,0.25,0.5,0.5\n")
    pictures = read_folder(root, FolderLayout(boxes="boxes.csv", box_classes=("cat", "dog")))
    assert pictures.box_classes == ("cat", "dog")
    assert pictures[0].boxes.corners.tolist() == [[0.75, 0, 2.25, 2], [0, 0, 1.5, 1]]
    assert pictures[0].boxes.labels.tolist() == [1, 0]
    assert len(pictures[1].boxes) == 0
    with pytest.raises(SourceError, match=r"1\.jpg: has a box of class 1 of 1"):
        read_folder(root)[0]


def test_without_a_layout_what_is_there_is_read(root):
    for name in ("b", "a/1"):
        (root / "labels" / f"{name}.png").unlink()
    with pytest.raises(SourceError, match="no map of this name"):
        read_folder(root)
    (root / "labels" / "a").rmdir()
    (root / "labels").rmdir()
    assert read_folder(root)[0].labels is None
    assert read_folder(root)[0].depth is not None
    with pytest.raises(SourceError, match="no map of this name"):
        read_folder(root, FolderLayout())


def test_a_layout_of_other_names_and_units(root):
    (root / "depth").rename(root / "far")
    found = read_folder(root, FolderLayout(depth="far", labels=None, metres=0.01))[0]
    np.testing.assert_allclose(found.depth, DEPTH / 100, rtol=1e-6)
    assert found.labels is None
    assert read_folder(root, FolderLayout(depth=None))[0].depth is None


def test_arrays_of_metres(root):
    metres = np.array([[np.nan, np.inf, -1], [0, 2.5, 1e-3]])
    for name in ("b", "a/1"):
        (root / "depth" / f"{name}.png").unlink()
        saved(root / "depth" / f"{name}.npy", metres)
    found = read_folder(root, FolderLayout(metres=1))[0].depth
    np.testing.assert_allclose(found, [[0, 0, 0], [0, 2.5, 1e-3]])


def broken(file):
    file.write_bytes(b"nothing")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda root: (root / "depth" / "b.png").unlink(), r"depth/b\.jpg: no map of this name"),
        (lambda root: saved(root / "labels" / "b.png", LABELS[:1]), r"labels/b\.png: is 3x1, its picture b\.jpg 3x2"),
        (lambda root: saved(root / "labels" / "b.png", LABELS + 300, np.uint16), "whole numbers from 0 to 255"),
        (lambda root: saved(root / "labels" / "b.png", np.zeros((2, 3, 3))), r"labels/b\.png: .* mode RGB"),
        (lambda root: broken(root / "labels" / "b.png"), r"labels/b\.png: cannot be read"),
        (lambda root: broken(root / "rgb" / "b.jpg"), r"rgb/b\.jpg: not an image"),
        (lambda root: (root / "rgb").rename(root / "other"), "rgb: no pictures"),
    ],
)
def test_faults_name_the_file(root, change, told):
    change(root)
    with pytest.raises(SourceError, match=told):
        read_folder(root)[1]


def test_an_array_that_is_none(root):
    (root / "depth" / "b.png").unlink()
    (root / "depth" / "b.npy").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"b\.npy: not an array"):
        read_folder(root)[1]
    saved(root / "depth" / "b.npy", np.zeros((2, 3, 1)))
    with pytest.raises(SourceError, match=r"b\.npy: expected a number for each pixel, found \(2, 3, 1\)"):
        read_folder(root)[1]

"""Scenes: their truth fits their pixels, and they are the same on every machine and in every order."""

import numpy as np
import pytest

from taskcodec.data.dense.scenes import FARTHEST, LEAST_SEEN, SHAPES, Scenes
from taskcodec.errors import UsageError


@pytest.mark.parametrize("size", [(64, 64), (48, 90), (31, 17)])
def test_boxes_masks_and_labels_say_the_same(size):
    scenes = Scenes(12, *size, seed=3)
    for picture in map(scenes.__getitem__, range(len(scenes))):
        assert picture.pixels.shape == (*size, 3)
        assert 1 <= len(picture.boxes) <= 7
        assert picture.objects.max() == len(picture.boxes)
        seen = []
        for row, (corners, label) in enumerate(zip(picture.boxes.corners, picture.boxes.labels, strict=True)):
            y, x = np.nonzero(picture.objects == row + 1)
            assert corners.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert (picture.labels[y, x] == 2 + label).all()
            seen.append(len(y))
        assert (picture.labels[picture.objects == 0] < 2).all()
        assert picture.whole == picture.boxes.labels[np.argmax(seen)]
        assert scenes.label_classes[2 + picture.whole] == scenes.box_classes[picture.whole]


def test_depth_is_that_of_a_level_camera_and_of_what_stands_before_it():
    for picture in map(Scenes(20, 60, 80, seed=1).__getitem__, range(20)):
        depth, ground, wall = picture.depth, picture.labels == 0, picture.labels == 1
        assert np.unique(depth[wall]).size <= 1
        assert (depth[wall] > FARTHEST).all()
        rows = [depth[y][ground[y]] for y in range(60) if ground[y].any()]
        assert all(np.ptp(row) == 0 for row in rows)
        # A pinhole's ground: 1 / depth grows by the same amount from row to row.
        inverse = np.array([1 / row[0] for row in rows])
        np.testing.assert_allclose(np.diff(inverse), np.diff(inverse).mean(), rtol=1e-4)
        assert (depth[picture.objects > 0] <= FARTHEST).all()


def test_objects_hide_one_another_and_none_is_nearly_hidden():
    """Boxes overlap in many scenes; the one behind has lost pixels, but not too many."""
    hidden = 0
    for picture in map(Scenes(60, 64, 64, seed=2).__getitem__, range(60)):
        boxes = picture.boxes.corners
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        counts = np.bincount(picture.objects.ravel(), minlength=len(boxes) + 1)[1:]
        solid = picture.boxes.labels == SHAPES.index("box")
        assert (counts[solid] >= LEAST_SEEN * area[solid] * 0.9).all()
        hidden += bool((counts[solid] < area[solid]).any())
    assert hidden >= 5


def test_a_scene_depends_on_its_seed_and_number_alone():
    first, again, other = Scenes(9, seed=5)[8], Scenes(100, seed=5)[8], Scenes(9, seed=6)[8]
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert not np.array_equal(first.pixels, other.pixels)
    assert not np.array_equal(first.pixels, Scenes(9, seed=5)[7].pixels)


def test_colour_tells_no_class():
    """The mean colour of an object is about the same for all classes: an outline must be seen."""
    colours = {kind: [] for kind in range(len(SHAPES))}
    for picture in map(Scenes(150, 32, 32).__getitem__, range(150)):
        for row, label in enumerate(picture.boxes.labels):
            colours[int(label)].append(picture.pixels[picture.objects == row + 1].mean(axis=0))
    means = np.array([np.mean(found, axis=0) for found in colours.values()])
    assert np.ptp(means, axis=0).max() < np.std(np.concatenate(list(colours.values())), axis=0).min()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 150)])
def test_pictures_of_any_size_have_an_object(size):
    for picture in map(Scenes(10, *size).__getitem__, range(10)):
        assert picture.size == size[::-1]
        assert len(picture.boxes) >= 1
        assert (picture.boxes.corners[:, 2:] > picture.boxes.corners[:, :2]).all()
        assert np.isfinite(picture.depth).all()
        assert (picture.depth > 0).all()


@pytest.mark.parametrize(
    "wrong", [{"height": 0}, {"width": -1}, {"most_objects": 0}, {"noise": -1}, {"noise": float("nan")}, {"seed": -1}]
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Scenes(1, **wrong)


@pytest.mark.parametrize("number", [-1, 3])
def test_a_number_of_no_scene_is_refused(number):
    with pytest.raises(IndexError, match="there are 3"):
        Scenes(3)[number]

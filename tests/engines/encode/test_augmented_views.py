"""Views of images through a backbone: which images, how many, the same each time."""

import numpy as np
import pytest

from taskcodec.data import open_source
from taskcodec.data.augmentations.draws import AUGMENTATIONS
from taskcodec.engines.encode.augmented_views import VIEWED_IMAGES, VIEWS, view_features, views_of_squares
from taskcodec.errors import SourceError, UsageError
from tests.data.pictures import Eyes, as_bytes, noise, put


@pytest.fixture
def source(tmp_path):
    """Five pictures, and one that cannot be read."""
    put(tmp_path, {f"{i}.png": as_bytes(noise(i, 80, 70)) for i in range(5)} | {"3b.png": b"\x89PNG no picture"})
    return open_source(tmp_path)


def test_views_of_what_can_be_read_the_same_each_time(source):
    done = []
    found = view_features(source, Eyes(), 32, lambda *of: done.append(of))
    assert found.shape == (VIEWS, 5, 4)
    assert done == [(i, 6) for i in range(1, 7)]
    assert np.array_equal(found, view_features(source, Eyes(), 32))
    assert not np.array_equal(found, view_features(source, Eyes(), 32, seed=1))
    assert len({found[view].tobytes() for view in range(VIEWS)}) == VIEWS


def test_at_most_so_many_images_are_viewed_spread_over_the_source(tmp_path, monkeypatch):
    put(tmp_path, {f"{i}.png": as_bytes(noise(i)) for i in range(9)})
    monkeypatch.setattr("taskcodec.engines.encode.augmented_views.VIEWED_IMAGES", 3)
    source = open_source(tmp_path)
    found = view_features(source, Eyes(), 16)
    assert VIEWED_IMAGES > 3
    assert found.shape == (VIEWS, 3, 4)
    source.items[:] = [source.items[number] for number in (0, 4, 8)]
    alone = view_features(source, Eyes(), 16)
    assert np.array_equal(found[:, 0], alone[:, 0])  # a view follows from the picture's place in the source


def test_no_picture_that_can_be_read_is_told(tmp_path):
    put(tmp_path, {"a.png": b"no picture"})
    with pytest.raises(SourceError, match="no image could be read"):
        view_features(open_source(tmp_path), Eyes(), 32)


@pytest.mark.parametrize("kind", [AUGMENTATIONS["mild"], "simclr"])
def test_a_fresh_view_for_each_row(source, kind):
    pytest.importorskip("torch")
    rows = [0, 0, 1, 4, 4, 4]
    items = [item for item in source.items if item.id != "3b.png"]
    found = views_of_squares(items, rows, Eyes(), kind, 7)
    assert found.shape == (6, 4)
    assert np.array_equal(found, views_of_squares(items, rows, Eyes(), kind, 7))
    assert not np.array_equal(found, views_of_squares(items, rows, Eyes(), kind, 8))
    assert len({row.tobytes() for row in found}) == 6


def test_a_row_that_cannot_be_read_and_a_set_that_there_is_not(source):
    pytest.importorskip("torch")
    with pytest.raises(SourceError, match=r"3b\.png: "):
        views_of_squares(source.items, range(6), Eyes(), AUGMENTATIONS["mild"], 0)
    with pytest.raises(UsageError, match="sideways"):
        views_of_squares(source.items, [0], Eyes(), "sideways", 0)

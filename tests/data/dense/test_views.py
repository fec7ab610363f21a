from pathlib import Path

import numpy as np
import pytest

from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.picture import DensePicture
from taskcodec.data.dense.scenes import Scenes
from taskcodec.data.dense.views import Chosen, Relabelled, files_of, spread
from taskcodec.errors import UsageError
from taskcodec.samples import VOID
from tests.data.dense.made import Made


def test_some_of_the_pictures():
    scenes = Scenes(20, 16, 16)
    some = spread(scenes, 3)
    assert [some[place].id for place in range(len(some))] == ["0-0", "0-10", "0-19"]
    assert (some.name, some.box_classes, some.label_classes) == (scenes.name, scenes.box_classes, scenes.label_classes)
    assert spread(scenes, 20) is scenes


def test_files_go_along_and_scenes_have_none():
    made = Made(tuple(Scenes(3, 4, 4)[i] for i in range(3)))
    object.__setattr__(made, "files", [Path("a"), Path("b"), Path("c")])
    assert Chosen(made, (2, 0)).files == (Path("c"), Path("a"))
    assert Relabelled(made).files == (Path("a"), Path("b"), Path("c"))
    with pytest.raises(UsageError, match="lie in no files"):
        files_of(Scenes(3))


def test_classes_of_another_list_by_name():
    picture = DensePicture(
        "a",
        np.zeros((2, 4, 3), np.uint8),
        Boxes.of([[0, 0, 1, 1], [1, 0, 2, 1], [2, 0, 3, 1]], [0, 1, 2]),
        np.array([[1, 2, 3, 0], [0] * 4], np.int32),
        np.array([[1, 2, 3, 0], [VOID] * 4], np.uint8),
        whole=2,
    )
    pictures = Made((picture,), ("Dog", "cat", "cow"), ("back", "Dog", "cat", "cow"))
    found = Relabelled(pictures, ("cow", "dog"), ("dog", "BACK"))[0]
    assert found.boxes.labels.tolist() == [1, 0]
    assert found.boxes.corners[:, 0].tolist() == [0, 2]
    assert found.objects.tolist() == [[1, 0, 2, 0], [0] * 4]  # rows of the boxes that stayed
    assert found.labels.tolist() == [[0, VOID, VOID, 1], [VOID] * 4]
    assert found.whole is None
    same = Relabelled(pictures)[0]
    assert same.boxes.labels.tolist() == [0, 1, 2]
    assert same.labels is picture.labels

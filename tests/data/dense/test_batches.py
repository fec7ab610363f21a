from dataclasses import replace

import numpy as np
import pytest

from taskcodec.data.dense.batches import truth_of
from taskcodec.data.dense.boxes import Boxes
from taskcodec.data.dense.scenes import Scenes
from taskcodec.errors import UsageError


def test_a_batch_of_scenes():
    scenes = [Scenes(3, 12, 20)[place] for place in range(3)]
    truth = truth_of(scenes)
    assert truth.pictures.shape == (3, 3, 12, 20)
    np.testing.assert_array_equal(truth.pictures[1].permute(1, 2, 0) * 255, scenes[1].pixels)
    np.testing.assert_array_equal(truth.labels, np.stack([scene.labels for scene in scenes]))
    np.testing.assert_array_equal(truth.depth, np.stack([scene.depth for scene in scenes]))
    assert truth.whole.tolist() == [scene.whole for scene in scenes]
    for scene, corners, labels in zip(scenes, truth.corners, truth.box_labels, strict=True):
        np.testing.assert_array_equal(corners, scene.boxes.corners)
        np.testing.assert_array_equal(labels, scene.boxes.labels)


def test_crowds_are_left_out_and_what_one_lacks_is_not_known():
    first, second = (Scenes(2, 8, 8)[place] for place in range(2))
    crowd = Boxes.of([[0, 0, 1, 1], [0, 0, 2, 2]], [0, 1], None, [True, False])
    truth = truth_of([replace(first, boxes=crowd, depth=None, whole=None), second])
    assert truth.corners[0].tolist() == [[0, 0, 2, 2]]
    assert truth.depth is None
    assert truth.whole is None
    assert truth.labels is not None
    assert truth_of([first, replace(second, boxes=None)]).corners is None


def test_sizes_must_agree():
    with pytest.raises(UsageError, match="found 8x8, 9x8"):
        truth_of([Scenes(1, 8, 8)[0], Scenes(1, 8, 9)[0]])
    with pytest.raises(UsageError, match="found none"):
        truth_of([])

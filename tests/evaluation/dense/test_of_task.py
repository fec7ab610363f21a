"""Tasks with predictors of torch, scored on decoded pictures: the truth gives the best score, noise a worse one."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from taskcodec.data.dense.folder import FolderLayout, read_folder
from taskcodec.data.dense.scenes import SHAPES, Scenes
from taskcodec.distortions.tasks import (
    Classification,
    Depth,
    Detection,
    Segmentation,
    SquaredError,
    StructuralSimilarity,
)
from taskcodec.errors import UsageError
from taskcodec.evaluation.dense.of_task import PictureTask, score_pictures
from taskcodec.evaluation.dense.run import ORIGINAL, run_dense
from taskcodec.evaluation.peers.pixels import PillowCodec

MISSING = [name for name in ("torchmetrics", "pycocotools", "torchvision") if find_spec(name) is None]
needs_torchmetrics = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
SCENES = Scenes(4, 24, 32, seed=1, noise=0)
DECODED = [SCENES[place].pixels for place in range(4)]


class Knows(nn.Module):
    """Recognises a scene by its pixels and says the truth; of another picture, what is wrong."""

    def __init__(self, says, wrong):
        super().__init__()
        self.says, self.wrong = says, wrong

    def _answers(self, pictures):
        for picture in pictures:
            pixels = (255 * picture.permute(1, 2, 0)).round().byte().numpy()
            known = [place for place, each in enumerate(DECODED) if np.array_equal(each, pixels)]
            yield self.says(SCENES[known[0]]) if known else self.wrong

    def forward(self, pictures):
        return torch.stack([torch.as_tensor(answer) for answer in self._answers(pictures)])

    def found(self, pictures):
        return list(self._answers(pictures))


def scores_of(label, classes):
    return nn.functional.one_hot(torch.as_tensor(label).long(), classes).movedim(-1, 0).float()


def boxes_of(scene):
    boxes = scene.boxes
    return torch.from_numpy(boxes.corners), torch.from_numpy(boxes.labels), torch.ones(len(boxes))


NOTHING = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0)
MAP = (24, 32)
TASKS = {
    "detection": (lambda: Detection(Knows(boxes_of, NOTHING)), 1.0, 0.0),
    "segmentation": (
        lambda: Segmentation(Knows(lambda scene: scores_of(scene.labels, 7), scores_of(np.full(MAP, 1), 7))),
        1.0,
        None,
    ),
    "depth": (lambda: Depth(Knows(lambda scene: scene.depth, np.full(MAP, 1e-9, np.float32))), 1.0, 1e-6),
    "classification": (
        lambda: Classification(Knows(lambda scene: scores_of(scene.whole, 5), torch.ones(5) - 2)), 1.0, None
    ),
    "psnr": (SquaredError, 58.92, None),
    "similarity": (StructuralSimilarity, 1.0, None),
}  # fmt: skip


@needs_torchmetrics
@pytest.mark.parametrize("kind", TASKS)
def test_the_truth_has_the_best_score(kind):
    make, best, worst = TASKS[kind]
    task = PictureTask(SCENES, make(), "knows")
    whole = score_pictures(task, DECODED)
    assert whole.value == pytest.approx(best, abs=0.01)
    assert whole.values(np.ones((1, 4))) == pytest.approx(whole.value, abs=1e-6)
    other = [255 - pixels for pixels in DECODED]
    assert score_pictures(task, other).value < best - 0.3
    if worst is not None:
        assert score_pictures(task, other).value == pytest.approx(worst, abs=1e-5)
    half = score_pictures(task, [*DECODED[:2], *other[2:]])
    assert half.values(np.array([[1, 1, 0, 0]])) == pytest.approx(best, abs=0.01)


def test_pictures_of_another_size_are_brought_to_the_truth_s():
    task = PictureTask(SCENES, SquaredError(), "eyes")
    flat = [np.full((6, 8, 3), 128, np.uint8)] * 4
    expected = [-10 * np.log10(np.mean((each / 255 - 128 / 255) ** 2)) for each in DECODED]
    assert score_pictures(task, flat).value == pytest.approx(np.mean(expected))


def test_what_is_missing_or_too_much_is_told():
    depth = PictureTask(SCENES, Depth(Knows(lambda scene: scene.depth, None)), "knows")
    with pytest.raises(UsageError, match="predictions for 3 of 4"):
        score_pictures(depth, DECODED[:3])
    with pytest.raises(UsageError, match="more decoded pictures than the 4"):
        score_pictures(depth, [*DECODED, DECODED[0]])
    with pytest.raises(UsageError, match="lie in no files"):
        run_dense(depth, [])


def test_the_task_is_left_in_the_mode_that_it_was_in():
    task = PictureTask(SCENES, Classification(nn.Sequential(nn.Flatten(), nn.LazyLinear(len(SHAPES))), False), "p")
    task.of.train()
    score_pictures(task, DECODED)
    assert task.of.predictor.training


def test_behind_pixel_codecs(tmp_path):
    """A folder's pictures: the files as they are, and a codec that destroys them."""
    for folder in ("rgb", "labels"):
        (tmp_path / folder).mkdir()
    for place, pixels in enumerate(DECODED):
        Image.fromarray(pixels).save(tmp_path / "rgb" / f"{place}.png")
    pictures = read_folder(tmp_path, FolderLayout(depth=None, labels=None))
    with pytest.raises(UsageError, match=r"0\.png has no labels, which segmentation is measured by"):
        run_dense(PictureTask(pictures, Segmentation(nn.Conv2d(3, 2, 1)), "p"), [])
    rows = run_dense(PictureTask(pictures, SquaredError(), "eyes"), [PillowCodec("jpeg", 1, 4)])
    assert [row.codec for row in rows] == [ORIGINAL, rows[1].codec]
    assert rows[0].value == pytest.approx(58.92, abs=0.01)
    assert rows[1].difference_high < -20
    assert (rows[0].task, rows[0].metric, rows[0].probe) == ("reconstruction", "psnr", "eyes")


@needs_torchmetrics
def test_answers_of_a_layer_are_scored_as_those_of_a_predictor():
    task = PictureTask(SCENES, Segmentation(nn.Identity()), "its own")
    scores = np.stack([np.eye(len(SCENES.label_classes), dtype=np.float32)[SCENES[i].labels] for i in range(4)])
    found = [task.examine_values(i, scores[i].transpose(2, 0, 1)) for i in range(4)]
    assert task.score(found).value == 1

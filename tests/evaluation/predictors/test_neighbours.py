import numpy as np
import pytest

from taskcodec.evaluation.predictors.neighbours import few_shot_scores, retrieval_scores
from taskcodec.evaluation.tasks.holdout import Split


def everyone(n):
    return Split(np.arange(n), np.arange(n))


def test_retrieval_against_a_plain_loop():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 4, 60)
    x = (np.eye(4, 8)[classes] + 0.6 * rng.normal(size=(60, 8))).astype("f4")
    found = retrieval_scores(x, classes, np.arange(60), everyone(60))
    y = x - x.mean(axis=0, dtype=np.float64)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    precisions, hits = [], []
    for i in range(60):
        order = [j for j in np.argsort(-(y @ y[i])) if j != i]
        right = classes[order] == classes[i]
        hits.append(right[:5].any())
        precisions.append(np.mean([right[: r + 1].mean() for r in np.flatnonzero(right)]))
    assert found["recall@5"].value == pytest.approx(np.mean(hits))
    assert found["retrieval_map"].value == pytest.approx(np.mean(precisions))


def test_copies_are_not_there_to_be_found():
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(40, 8)), 2, axis=0).astype("f4")
    classes, units = np.repeat(np.arange(40) % 2, 2), np.repeat(np.arange(40), 2)
    assert retrieval_scores(x, classes, np.arange(80), everyone(80))["recall@1"].value == 1
    assert retrieval_scores(x, classes, units, everyone(80))["recall@1"].value < 0.8


def test_queries_look_in_the_gallery_only():
    x = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1], [1, 0.2]], "f4")
    classes = np.array([0, 1, 0, 1, 2])
    found = retrieval_scores(x, classes, np.arange(5), Split(np.arange(2), np.arange(2, 5)))
    assert found["recall@1"].value == 1
    assert found["recall@1"].unit_count == 2  # nothing of class 2 to find
    assert retrieval_scores(x[:2], classes[:2], np.arange(2), everyone(2)) == {}


@pytest.mark.parametrize("shots", [1, 5])
def test_few_shots_of_far_classes_suffice(shots):
    rng = np.random.default_rng(2)
    classes = np.arange(60) % 3
    x = (5 * np.eye(3, 6)[classes] + rng.normal(size=(60, 6))).astype("f4")
    found = few_shot_scores(x, classes, np.arange(60), everyone(60), shots)
    assert found.value > (0.8 if shots == 1 else 0.97)
    assert found.unit_count == 60
    chance = few_shot_scores(x, rng.permutation(classes), np.arange(60), everyone(60), shots)
    assert chance.value < 0.5


def test_few_shots_leave_small_classes_out_and_never_test_what_they_showed():
    x = np.random.default_rng(3).normal(size=(30, 4)).astype("f4")
    classes = np.array([0] * 14 + [1] * 14 + [2] * 2)
    found = few_shot_scores(x, classes, np.arange(30), everyone(30), 5)
    assert set(found.units) == set(range(28))
    assert len(found.units) == 20 * 18
    assert few_shot_scores(x, classes, np.arange(30), everyone(30), 20) is None
    together = np.repeat(np.arange(15), 2)  # examples' units are not tested
    assert len(few_shot_scores(x, classes, together, everyone(30), 5).units) == 20 * 8

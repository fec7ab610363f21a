import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.tasks.holdout import (
    LABELLED_SOURCE,
    Holdout,
    Split,
    Splits,
    hold_out,
    refuse_labelled_fit,
    split_by_folder,
    unit_numbers,
)


def features(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 4)).astype("f4")


def test_copies_ids_and_groups_make_units():
    x = features(8)
    x[5] = x[1]  # a copy
    ids = ["a", "b", "c", "d", "a", "f", "g", "h"]  # 0 and 4 share a name
    units = unit_numbers(x, ids, [None, "p", "p", None, None, None, None, None])
    assert units[0] == units[4]
    assert units[1] == units[5] == units[2]  # by copy and by group
    assert len(np.unique(units)) == 5


@pytest.mark.parametrize("classes", [None, np.repeat(np.arange(4), 30)])
def test_folds_keep_units_whole_and_test_every_row_once_a_repeat(classes):
    rng = np.random.default_rng(1)
    units = rng.integers(0, 60, 120)
    found = hold_out(np.arange(120), units, classes, [str(i) for i in range(120)], Splits(folds=4, repeats=3))
    assert len(found.splits) == 12
    for split in found.splits:
        assert not np.intersect1d(units[split.train], units[split.test]).size
        assert len(split.train) + len(split.test) == 120
    for repeat in range(3):
        tested = np.concatenate([split.test for split in found.splits[4 * repeat : 4 * repeat + 4]])
        assert np.array_equal(np.sort(tested), np.arange(120))


def test_folds_keep_classes_in_proportion():
    classes = np.repeat([0, 1, 2], [50, 30, 10])
    found = hold_out(np.arange(90), np.arange(90), classes, [""] * 90, Splits(folds=5, repeats=1))
    for split in found.splits:
        assert np.bincount(classes[split.test]).tolist() == [10, 6, 2]


def test_folders_decide_where_there_are_any():
    ids = ["train/a/1.jpg", "train/b/2.jpg", "test/a/3.jpg", "val/a/4.jpg", "other.jpg"]
    split = split_by_folder(ids)
    assert (split.train.tolist(), split.test.tolist()) == ([0, 1], [2])
    assert split_by_folder(["train/a/1.jpg", "x/valid/b/2.jpg"]).test.tolist() == [1]
    assert split_by_folder(["a/1.jpg", "train/2.jpg"]) is None
    found = hold_out(np.arange(5), np.arange(5), None, ids)
    assert (len(found.splits), found.words) == (1, "by folder")
    assert len(hold_out(np.arange(5), np.arange(5), None, ids, Splits(split="folds", repeats=1)).splits) == 5


def test_leakage_between_folders_is_refused_and_can_be_split_anew():
    x = features(40)
    x[30] = x[3]
    ids = [f"{'train' if i < 25 else 'test'}/c/{i}.jpg" for i in range(40)]
    units = unit_numbers(x, ids)
    with pytest.raises(UsageError, match=r"train/c/3.jpg and test/c/30.jpg are one.*--split folds"):
        hold_out(np.arange(40), units, None, ids)
    for split in hold_out(np.arange(40), units, None, ids, Splits(split="folds")).splits:
        assert (3 in split.test) == (30 in split.test)
    with pytest.raises(UsageError, match="both sides"):
        hold_out(np.arange(40), unit_numbers(features(40), ids, ["house"] * 40), None, ids)


def test_a_codec_fitted_with_these_labels_is_refused():
    refuse_labelled_fit({}, ["abc"], "store")
    refuse_labelled_fit({LABELLED_SOURCE: "def"}, ["abc"], "store")
    with pytest.raises(UsageError, match=r"store: .*labels of these samples"):
        refuse_labelled_fit({LABELLED_SOURCE: "abc"}, ["xyz", "abc"], "store")


def test_too_little_to_split_is_refused():
    with pytest.raises(UsageError, match=r"--folds \d+ needs"):
        hold_out(np.arange(6), np.zeros(6, np.int64), None, [""] * 6)
    with pytest.raises(UsageError, match="--split folders"):
        hold_out(np.arange(6), np.arange(6), None, ["x.jpg"] * 6, Splits(split="folders"))
    with pytest.raises(UsageError, match="labelled samples"):
        hold_out(np.array([0, 1]), np.arange(3), None, ["train/1", "train/2", "test/3"])


def test_a_leaking_split_is_refused():
    leaking = Split(np.arange(0, 90, 2), np.arange(1, 90, 2))
    with pytest.raises(UsageError, match="both parts"):
        Holdout((leaking,), np.arange(90) // 2, "")


def test_names_of_groups_stay_on_one_side():
    groups = [f"house {i // 6}" for i in range(90)]
    ids = [str(i) for i in range(90)]
    found = hold_out(np.arange(90), unit_numbers(features(90), ids, groups), None, ids, Splits(folds=3, repeats=1))
    for split in found.splits:
        assert not {groups[row] for row in split.train} & {groups[row] for row in split.test}


def test_one_seed_gives_one_split():
    first, second, other = (
        hold_out(np.arange(90), np.arange(90), None, [""] * 90, Splits(folds=3, seed=seed)).splits for seed in (0, 0, 1)
    )
    assert all(np.array_equal(a.test, b.test) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a.test, b.test) for a, b in zip(first, other, strict=True))


def test_another_way_to_split_is_refused():
    with pytest.raises(UsageError, match="--split must be one of auto, folders, folds, found halves"):
        Splits("halves")

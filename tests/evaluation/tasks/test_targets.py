import csv

import numpy as np
import pytest

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.tasks.targets import kind_of, label_columns, make_target, make_targets


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["cat", "dog"], "classification"),
        (["3", "7", "3"], "classification"),
        (["007", "008"] * 30, "classification"),
        ([f"{i:03}" for i in range(50)], "classification"),  # numbers with leading zeros are names
        ([str(i) for i in range(50)], "regression"),
        (["0.5", "1"], "regression"),
        (["-3", "1e3"], "classification"),
        (["dog;car", "dog"], "multilabel"),
        (["dog|car", "dog"], "multilabel"),
        (["1;2", "2"], "multilabel"),
    ],
)
def test_kinds_are_told_from_labels(labels, kind):
    assert kind_of(labels) == kind


def test_classes_numbers_and_sets_of_labels():
    classes = make_target("c", ["b", None, "a", "b", "a"])
    assert (classes.rows.tolist(), classes.values.tolist(), classes.names) == ([0, 2, 3, 4], [1, 0, 1, 0], ("a", "b"))
    numbers = make_target("n", ["1.5", "2", "3", "4", None])
    assert numbers.values.tolist() == [1.5, 2, 3, 4]
    sets = make_target("s", ["x; y", "y|z", "z", "x", "y"])
    assert sets.names == ("x", "y", "z")
    assert sets.values[:2].tolist() == [[1, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("gap", ["nan", "NaN", "NA", "n/a", "null", "?", "-", "inf"])
@pytest.mark.parametrize("kind", [None, "regression"])
def test_what_stands_for_a_missing_number_is_no_label(gap, kind):
    found = make_target("price", [gap, *(str(i / 7) for i in range(40)), gap], kind)
    assert found.kind == "regression"
    assert found.rows.tolist() == list(range(1, 41))


def test_names_that_others_use_for_gaps_stay_classes():
    assert make_target("colour", ["none", "red"] * 5).names == ("none", "red")


def test_a_column_of_no_use_says_how_to_leave_it_out():
    with pytest.raises(SourceError, match=r"FILE\.csv:COLUMN"):
        make_targets({"same": ["5.5"] * 9, "class": ["a", "b", "a"] * 3})


def test_a_kind_can_be_forced():
    years = [str(1990 + i % 5) for i in range(40)]
    assert make_target("year", years).kind == "classification"
    assert make_target("year", years, "regression").values[0] == 1990
    found = make_targets({"year": years, "name": ["a", "b"] * 20}, ["year=regression"])
    assert [target.kind for target in found] == ["regression", "classification"]
    assert make_targets({"year": [str(i % 30) for i in range(90)]}, ["classification"])[0].kind == "classification"


@pytest.mark.parametrize(
    ("labels", "kind", "says"),
    [
        (["a", "b", "c"], None, "at least 4"),
        (["a", "b", "c", "d"], None, "two classes"),
        (["a"] * 5, None, "two classes"),
        (["1.5"] * 5, None, "all its numbers"),
        (["a", "b", "a", "b"], "regression", "'a' is not a number"),
        (["a;b"] * 6, None, "at least 2 samples have"),
        (["a", "b", "a", "b"], "magic", "--kind must be one of classification, multilabel, regression, found magic"),
        ([*map(str, range(30)), "twelve"], None, "'twelve' is not a number, 30 others are"),
        ([f"{i / 7:.3f}".replace(".", ",") for i in range(40)], None, "with a point"),
        ([f"{i / 7:.1f} %" for i in range(40)], None, "with a point"),
        ([f"{i},{300 + i}" for i in range(40)], None, "with a point"),
    ],
)
def test_labels_that_teach_nothing_are_refused(labels, kind, says):
    with pytest.raises(SourceError if kind is None else UsageError, match=says):
        make_target("column", labels, kind)


def test_columns_of_a_file(tmp_path):
    path = tmp_path / "labels.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(
            [("file", "class", "age"), ("1.jpg", "a", "3"), ("2.jpg", "b", ""), ("3.jpg", "a", "5")]
        )
    ids = ["photos/1.jpg", "photos/2.jpg", "photos/4.jpg"]
    assert label_columns(str(path), ids) == {"class": ["a", "b", None], "age": ["3", None, None]}
    assert label_columns(f"{path}:age", ids) == {"age": ["3", None, None]}
    path.write_text(path.read_text().replace("age", "age,note").replace(",3", ",3, "))
    assert list(label_columns(str(path), ids)) == ["class", "age"]  # nobody wrote a note
    for spec, says in ((f"{path}:size", "size"), (str(tmp_path / "no.csv"), "cannot be read")):
        with pytest.raises(SourceError, match=says):
            label_columns(spec, ids)
    with pytest.raises(SourceError, match="none of its ids"):
        label_columns(str(path), ["x", "y"])
    with pytest.raises(UsageError, match="no column size"):
        make_targets({"class": ["a", "b", "a", "b"]}, ["size=regression"])


def test_rows_index_the_set():
    target = make_target("c", [None, "a", "b", None, "a", "b"])
    assert np.array_equal(target.rows, [1, 2, 4, 5])
    assert len(target) == 4

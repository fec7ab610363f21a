"""Tables of labels as people write them."""

import pytest

from taskcodec.data import read_labels
from taskcodec.data.labels import LabelTable
from taskcodec.errors import SourceError
from taskcodec.evaluation.tasks.targets import label_columns


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_the_separator_is_seen_from_the_first_line(tmp_path, separator):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(separator.join(row) for row in [("id", "label"), ("a.jpg", "cat"), ("b.jpg", "dog")]))
    assert read_labels(str(path)) == {"a.jpg": "cat", "b.jpg": "dog"}
    assert label_columns(str(path), ["b.jpg", "a.jpg"]) == {"label": ["dog", "cat"]}


def test_an_id_with_two_labels_is_named(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label\na.jpg,cat\nb.jpg,dog\na.jpg,cat\n")
    assert read_labels(str(path)) == {"a.jpg": "cat", "b.jpg": "dog"}
    path.write_text("id,label\na.jpg,cat\nb.jpg,dog\na.jpg,dog\n")
    with pytest.raises(SourceError, match=r"a\.jpg has two labels, cat and dog"):
        read_labels(str(path))


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label,label\na.jpg,cat,dog\n")
    with pytest.raises(SourceError, match="two columns named label"):
        read_labels(str(path))


def test_blanks_around_a_label_make_no_class(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text('id,label\na.jpg,cat\nb.jpg,"cat "\nc.jpg,"  "\n')
    assert read_labels(str(path)) == {"a.jpg": "cat", "b.jpg": "cat"}


def test_columns_are_known_in_any_capitals(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("ID,Label\na.jpg,cat\n")
    assert read_labels(str(path)) == {"a.jpg": "cat"}
    assert label_columns(str(path), ["a.jpg"]) == {"Label": ["cat"]}


def test_a_table_that_labels_nothing_is_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label\na.jpg,\n")
    with pytest.raises(SourceError, match="no row has both id and label"):
        read_labels(str(path))


def test_a_row_with_more_fields_than_columns_is_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label\na.jpg,cat\nb,c.jpg,dog\n")
    with pytest.raises(SourceError, match=r"labels\.csv: line 3 has 3 fields, the first line 2: put quotes"):
        read_labels(str(path))
    path.write_text('id,label\na.jpg,cat,\n"b,c.jpg",dog\nd.jpg\n')
    assert read_labels(str(path)) == {"a.jpg": "cat", "b,c.jpg": "dog"}


def test_entries_that_name_no_sample():
    table = LabelTable({"train/1.jpg": "a", "val/1.jpg": "b", "2": "c", "x/3.jpg": "d", "4.jpg": "e"})
    assert table.unused(["train/1.jpg", "y/2.png", "3.jpg"]) == ["val/1.jpg", "4.jpg"]
    assert table.unused(["other/1.jpg"]) == ["2", "x/3.jpg", "4.jpg"]  # it may be either: it has no label then

"""Vectors in Parquet files: every row is accounted for, and no column is taken for what it is not."""

import datetime
import json
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskcodec.data import open_source
from taskcodec.engines.encode.local import write_features
from taskcodec.errors import SourceError

LISTS = pa.list_(pa.float32())


def write(place, groups=None, **columns):
    pq.write_table(pa.table(columns), place, row_group_size=groups)
    return place


def failures(source, place):
    return {record.id: record.status for record in write_features(source, place).failures}


@pytest.mark.parametrize("kind", [LISTS, pa.large_list(pa.float64()), pa.list_(pa.int32())])
@pytest.mark.parametrize("groups", [None, 700])
def test_a_row_that_is_no_vector_is_recorded_and_the_rest_goes_on(tmp_path, kind, groups):
    rows = [[i, 1, 2] for i in range(3000)]
    rows[0], rows[5], rows[6], rows[1500], rows[2999] = [1, 2], None, [], [1, None, 3], [1, 2, 3, 4]
    source = open_source(write(tmp_path / "x.parquet", groups, v=pa.array(rows, kind)))
    assert (len(source), source.dimension) == (3000, 3)
    assert failures(source, tmp_path / "x.npy") == {
        "0": "a vector of 2 numbers, not 3",
        "5": "no vector in its row",
        "6": "an empty vector in its row",
        "1500": "a missing number (null) among its features",
        "2999": "a vector of 4 numbers, not 3",
    }
    kept = [i for i in range(3000) if i not in (0, 5, 6, 1500, 2999)]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [[i, 1, 2] for i in kept])


def test_vectors_of_a_fixed_length_with_holes(tmp_path):
    rows = pa.array([[1.0, 2.0], None, [3.0, None], [5.0, 6.0]], pa.list_(pa.float32(), 2))
    source = open_source(write(tmp_path / "x.parquet", v=rows))
    assert failures(source, tmp_path / "x.npy") == {
        "1": "no vector in its row", "2": "a missing number (null) among its features",
    }  # fmt: skip
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [[1, 2], [5, 6]])


@pytest.mark.parametrize("kind", [LISTS, pa.list_(pa.float32(), 500)])
def test_memory_holds_a_few_pages_however_large_the_row_group(tmp_path, kind):
    values = pa.array(np.random.default_rng(0).normal(size=10_000_000).astype("f4"))
    starts = pa.array(np.arange(0, len(values) + 1, 500, dtype=np.int32))
    lists = (
        pa.ListArray.from_arrays(starts, values) if kind == LISTS else pa.FixedSizeListArray.from_arrays(values, 500)
    )
    source = open_source(write(tmp_path / "x.parquet", len(lists), v=lists))
    before, most = pa.total_allocated_bytes(), 0
    for start in range(0, len(source), 1024):
        source.block(start, min(start + 1024, len(source)))
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 4 * len(values) / 2


def test_the_length_is_the_one_that_most_of_the_first_rows_have(tmp_path):
    rows = [None] * 2000 + [[1.0] * 5, [1.0] * 3, [1.0] * 3, []]
    source = open_source(write(tmp_path / "x.parquet", v=pa.array(rows, LISTS)))
    assert source.dimension == 3
    assert failures(source, tmp_path / "x.npy")["2000"] == "a vector of 5 numbers, not 3"
    with pytest.raises(SourceError, match="no feature vectors in column v"):
        open_source(write(tmp_path / "x.parquet", v=pa.array([None, []], LISTS)))


def test_a_null_among_columns_of_features_is_told(tmp_path):
    columns = {f"f{i}": pa.array([1.0, None if i == 2 else 2.0, 3.0]) for i in range(4)}
    source = open_source(write(tmp_path / "x.parquet", **columns))
    assert failures(source, tmp_path / "x.npy") == {"1": "a missing number (null) among its features"}


@pytest.mark.parametrize("name", ["target", "y", "label", "class", "category", "Target", "LABEL"])
@pytest.mark.parametrize("vectors", [False, True])
def test_a_column_of_labels_is_no_feature(tmp_path, name, vectors):
    features = {"v": pa.array([[1.0, 2.0]] * 3, LISTS)} if vectors else {f"f{i}": [1.0, 2.0, 3.0] for i in range(4)}
    source = open_source(write(tmp_path / "x.parquet", **features, **{name: [0.5, 1.0, float("nan")]}))
    assert source.dimension == (2 if vectors else 4)
    assert [source.labels[row] for row in range(3)] == ["0.5", "1", None]
    assert source.ids is None


@pytest.mark.parametrize("name", ["id", "path", "file", "filename", "file_name", "image", "name", "Path"])
def test_a_column_of_ids_is_no_feature(tmp_path, name):
    source = open_source(write(tmp_path / "x.parquet", a=[1.0, 2.0], b=[3.0, 4.0], **{name: [7.0, 8.0]}))
    assert source.dimension == 2
    assert [source.id_of(row) for row in range(2)] == ["7", "8"]


def test_of_several_columns_of_labels_one_counts_and_none_is_a_feature(tmp_path):
    columns = {"a": [1.0, 2.0], "b": [3.0, 4.0], "class": [1.0, 2.0], "label": ["x", "y"], "y": [5.0, 6.0]}
    source = open_source(write(tmp_path / "x.parquet", **columns))
    assert source.dimension == 2
    assert list(source.labels) == ["x", "y"]


def test_the_column_of_vectors_can_be_named(tmp_path):
    small, large = pa.array([[1.0, 2.0]] * 3, LISTS), pa.array([[1.0, 2.0, 3.0]] * 3, LISTS)
    place = write(tmp_path / "x.parquet", title=small, text=large, label=["a", "b", "c"])
    with pytest.raises(SourceError, match=r"title \(vectors\), text \(vectors\): name the column, .*x.parquet:title"):
        open_source(place)
    found = {name: open_source(f"{place}:{name}") for name in ("title", "text")}
    assert {name: source.dimension for name, source in found.items()} == {"title": 2, "text": 3}
    assert list(found["text"].labels) == ["a", "b", "c"]
    assert found["text"].block(1, 2).tolist() == [[1, 2, 3]]
    assert found["title"].descriptor() != found["text"].descriptor()
    with pytest.raises(SourceError, match=r"x.parquet: no column words; it has title, text, label"):
        open_source(f"{place}:words")
    with pytest.raises(SourceError, match="column label holds neither lists of numbers nor pictures"):
        open_source(f"{place}:label")


def test_two_columns_of_known_names_are_as_ambiguous_and_one_is_not(tmp_path):
    v = pa.array([[1.0, 2.0]] * 3, LISTS)
    with pytest.raises(SourceError, match=r"features \(vectors\), embedding \(vectors\)"):
        open_source(write(tmp_path / "x.parquet", features=v, embedding=v))
    assert open_source(write(tmp_path / "x.parquet", embedding=v, boxes=v)).name.endswith("x.parquet")


def test_only_parquet_files_have_columns(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2), "f4"))
    with pytest.raises(SourceError, match=r"x.npy:v: only Parquet files have columns to name"):
        open_source(f"{tmp_path / 'x.npy'}:v")
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(f"{tmp_path / 'y.parquet'}:v")


UUIDS = [uuid.UUID(int=i) for i in range(3)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([one.bytes for one in UUIDS], pa.binary(16)), [str(one) for one in UUIDS]),
        (pa.array([b"a", b"\xff\x00", None], pa.binary()), ["a", "ff00", "2"]),
        (pa.array([b"abc", b"\xff\x00\x01", b"xyz"], pa.binary(3)), ["abc", "ff0001", "xyz"]),
        (pa.array([3, 2**63, 1], pa.uint64()), ["3", str(2**63), "1"]),
        (pa.array([datetime.date(2026, 1, day) for day in (1, 2, 3)]), ["2026-01-01", "2026-01-02", "2026-01-03"]),
        (pa.array([True, False, None]), ["true", "false", "2"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["b", "a", "b"]),
        (pa.array([datetime.datetime(2026, 1, 1, 12)] * 3, pa.timestamp("ms")), ["2026-01-01 12:00:00.000"] * 3),
    ],
)
def test_ids_of_any_kind_are_text(tmp_path, ids, expected):
    source = open_source(write(tmp_path / "x.parquet", id=ids, v=pa.array([[1.0, 2.0]] * 3, LISTS)))
    assert [source.id_of(row) for row in range(3)] == expected


@pytest.mark.skipif(not hasattr(pa, "uuid"), reason="this pyarrow has no UUID type")
def test_ids_of_the_uuid_type(tmp_path):
    ids = pa.array([one.bytes for one in UUIDS], pa.uuid())
    source = open_source(write(tmp_path / "x.parquet", id=ids, v=pa.array([[1.0, 2.0]] * 3, LISTS)))
    assert [source.id_of(row) for row in range(3)] == [str(one) for one in UUIDS]


def test_numbers_of_classes_are_told_by_their_names_where_the_file_has_them(tmp_path):
    table = pa.table({"v": pa.array([[1.0, 2.0]] * 4, LISTS), "label": [1, 0, -1, None]})
    described = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(described)}), tmp_path / "x.parquet")
    assert list(open_source(tmp_path / "x.parquet").labels) == ["dog", "cat", None, None]


def test_two_columns_of_one_name_are_told(tmp_path):
    pq.write_table(pa.table([pa.array([1.0])] * 2, names=["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="two columns named a"):
        open_source(tmp_path / "x.parquet")

"""Pictures in Parquet files, as public data sets have them."""

import io
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import taskcodec
from taskcodec.data import FeatureSource, ImageSource, open_source
from taskcodec.data.parquet import pictures
from taskcodec.errors import SourceError
from tests.data.pictures import as_bytes, encoded, noise, put, statuses

COUNT = 100
PICTURES = [as_bytes(noise(i, 12, 10)) for i in range(COUNT)]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def structs(rows, paths=None):
    """As the `datasets` library writes them."""
    return pa.array([{"bytes": one, "path": paths and paths[i]} for i, one in enumerate(rows)], STRUCT)


def write(place, groups=30, **columns):
    place.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), place, row_group_size=groups)
    return place


@pytest.mark.parametrize("column", [pa.array(PICTURES), pa.array(PICTURES, pa.large_binary()), structs(PICTURES)])
def test_a_column_of_pictures_is_a_source_of_images(tmp_path, column):
    labels = ["cat" if i % 2 else "dog" for i in range(COUNT)]
    source = open_source(write(tmp_path / "x.parquet", image=column, label=labels))
    assert isinstance(source, ImageSource)
    assert len(source) == COUNT
    assert [item.id for item in source.items] == [str(i) for i in range(COUNT)]
    assert [item.label for item in source.items[:3]] == ["dog", "cat", "dog"]
    assert [item.read() for item in source.items] == PICTURES
    assert source.items[-1].read() == PICTURES[-1]
    assert set(statuses(source).values()) == {"ok"}


def test_rows_are_read_in_any_order_and_by_several_threads(tmp_path):
    source = open_source(write(tmp_path / "x.parquet", image=structs(PICTURES)))
    order = list(range(COUNT)) * 2
    random.Random(0).shuffle(order)
    assert all(source.items[row].read() == PICTURES[row] for row in order[:60])
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: source.items[row].read(), order)) == [PICTURES[row] for row in order]


def test_few_pictures_are_held_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "_KEPT_BYTES", 2000)
    monkeypatch.setattr(pictures, "_KEPT_ROWS", 3)
    source = open_source(write(tmp_path / "x.parquet", image=structs(PICTURES)))
    assert [item.read() for item in source.items] == PICTURES
    assert source.items[0].read() == PICTURES[0]


def test_memory_holds_a_few_pages_however_large_the_row_group(tmp_path):
    rows = [np.random.default_rng(i).bytes(4000) for i in range(10_000)]
    source = open_source(write(tmp_path / "x.parquet", len(rows), image=structs(rows)))
    before, most = pa.total_allocated_bytes(), 0
    for row, item in zip(rows, source.items, strict=True):
        assert item.read() == row
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 4000 * len(rows) / 3


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, ["0", "1", "2"]),
        ({"id": [7, 8, 9]}, ["7", "8", "9"]),
        ({"file_name": ["a.png", "b.png", "a.png"]}, ["a.png", "b.png", "a.png#2"]),
    ],
)
def test_names_of_pictures(tmp_path, columns, expected):
    place = write(tmp_path / "x.parquet", image=structs(PICTURES[:3]), **columns)
    assert [item.id for item in open_source(place).items] == expected


def test_the_path_beside_the_bytes_is_a_name(tmp_path):
    place = write(tmp_path / "x.parquet", image=structs(PICTURES[:3], ["cat/1.png", None, "cat/1.png"]))
    assert [item.id for item in open_source(place).items] == ["cat/1.png", "1", "cat/1.png#2"]


@pytest.mark.parametrize("how", ["folder", "layout", "pattern", "list"])
def test_several_files_are_one_source(tmp_path, how):
    for number in range(4):
        rows = slice(25 * number, 25 * number + 25)
        write(tmp_path / "data" / f"{number}.parquet", 7, image=structs(PICTURES[rows]), label=[number] * 25)
    if how == "layout":
        put(tmp_path, {"README.md": b"# Data", ".gitattributes": b""})
    (tmp_path / "data.txt").write_text("\n".join(f"data/{number}.parquet" for number in range(4)))
    places = {"folder": "data", "layout": ".", "pattern": "data/*.parquet", "list": "data.txt"}
    if how == "layout":
        (tmp_path / "data.txt").unlink()
    source = open_source(f"{tmp_path}/{places[how]}")
    prefix = "data/" if how in ("layout", "list") else ""
    good = [item for item in source.items if item.fault is None]
    assert [item.read() for item in good] == PICTURES
    assert (good[30].id, good[30].label) == (f"{prefix}1.parquet:5", "1")
    beside = {item.id: item.fault for item in source.items if item.fault is not None}
    assert beside == ({"README.md": "beside the .parquet files, not one of them"} if how == "layout" else {})


def test_what_is_no_picture_is_recorded_and_the_rest_goes_on(tmp_path):
    rows = [{"bytes": PICTURES[0], "path": None}, None, {"bytes": None, "path": "a.png"}, {"bytes": b"", "path": None}]
    rows += [{"bytes": b"noise", "path": None}, {"bytes": PICTURES[5], "path": None}]
    write(tmp_path / "p" / "a.parquet", image=pa.array(rows, STRUCT))
    put(tmp_path / "p", {"b.parquet": b"PAR1 noise"})
    write(tmp_path / "p" / "c.parquet", words=["x"])
    store, _ = encoded(tmp_path / "p", tmp_path / "s.tcz")
    assert store.ids.tolist() == ["a.parquet:0", "a.parquet:5"]
    assert {row["id"]: row["status"].split(",")[0] for row in store.failures.to_pylist()} == {
        "a.parquet:1": "no picture in its row",
        "a.png": "no picture in its row",
        "a.parquet:3": "empty file",
        "a.parquet:4": "not an image that can be read",
        "b.parquet": "not a Parquet file that can be read (ArrowInvalid)",
        "c.parquet": "expected one column of lists of numbers or of pictures",
    }
    sizes = store.samples["source_bytes"].to_pylist()
    assert sizes == [len(PICTURES[0]), len(PICTURES[5])]


def test_a_damaged_row_group_is_recorded_and_the_others_are_read(tmp_path):
    place = write(tmp_path / "x.parquet", 10, image=structs(PICTURES))
    middle = pq.ParquetFile(place).metadata.row_group(5).column(0)
    data = bytearray(place.read_bytes())
    start, end = middle.data_page_offset, middle.dictionary_page_offset + middle.total_compressed_size
    data[start:end] = bytes(end - start)
    place.write_bytes(data)
    found = statuses(open_source(place))
    bad = [int(name) for name, status in found.items() if status != "ok"]
    assert bad == list(range(50, 60))
    assert found["50"].startswith("cannot be read from its Parquet file")


def test_encode_resumes_and_refuses_another_source(tmp_path):
    place = write(tmp_path / "x.parquet", image=structs(PICTURES), label=["a"] * COUNT)
    store, said = encoded(place, tmp_path / "s.tcz")
    assert (len(store), said) == (COUNT, [])
    assert store.labels.tolist() == ["a"] * COUNT
    _, said = encoded(place, tmp_path / "s.tcz")
    assert "nothing was done" in said[0]
    table = tmp_path / "labels.csv"
    table.write_text("id,class\n" + "\n".join(f"{i},c{i}" for i in range(COUNT)))
    source = open_source(place).with_labels(taskcodec.data.read_labels(str(table)))
    assert source.items[7].label == "c7"
    assert source.descriptor() == open_source(place).descriptor()
    before = open_source(place).descriptor()
    write(place, image=structs(PICTURES[::-1]))
    assert open_source(place).descriptor() != before


def test_pictures_or_vectors_can_be_named(tmp_path):
    vectors = pa.array([[1.0, 2.0]] * COUNT, pa.list_(pa.float32()))
    place = write(tmp_path / "x.parquet", image=structs(PICTURES), embedding=vectors)
    with pytest.raises(SourceError, match=r"embedding \(vectors\), image \(pictures\): name the column"):
        open_source(place)
    assert isinstance(open_source(f"{place}:image"), ImageSource)
    assert isinstance(open_source(f"{place}:embedding"), FeatureSource)
    # Boxes, and bytes of another name, are no samples where there is an image.
    place = write(tmp_path / "y.parquet", image=structs(PICTURES), boxes=vectors, mask=pa.array(PICTURES))
    assert len(open_source(place).items) == COUNT
    assert open_source(f"{place}:mask").items[3].read() == PICTURES[3]


def test_files_of_pictures_and_of_vectors_are_not_one_source(tmp_path):
    write(tmp_path / "a.parquet", image=structs(PICTURES))
    write(tmp_path / "b.parquet", embedding=pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32())))
    with pytest.raises(SourceError, match=r"holds pictures \(a\.parquet\) and vectors \(b\.parquet\)"):
        open_source(tmp_path)


def test_large_pictures_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_ITEM_BYTES", 10)
    source = open_source(write(tmp_path / "x.parquet", image=structs(PICTURES[:1])))
    assert statuses(source) == {"0": "larger than an image may be"}


def test_a_picture_alone_is_read_as_the_file_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (9, 9)).astype(np.uint16)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG")
    store, said = encoded(write(tmp_path / "x.parquet", image=[sink.getvalue()] * 2), tmp_path / "s.tcz")
    assert store.samples["note"].to_pylist() == ["12-bit values in a 16-bit picture"] * 2
    assert "2 of 2 samples" in said[0]

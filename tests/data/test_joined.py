"""Several files of rows, or of shards, as one source."""

import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taskcodec
from taskcodec.data import FeatureSource, ImageSource, open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import write_features
from taskcodec.errors import SourceError
from tests.cli.commands import run
from tests.data.pictures import as_bytes, noise, put, statuses

X = np.random.default_rng(0).normal(size=(3000, 6)).astype("f4")
CUTS = {"a.npy": (0, 1100), "b.npy": (1100, 1101), "c.npy": (1101, 3000)}


def tables(rows, **columns):
    return pa.table({**columns, "features": pa.array(rows.tolist(), pa.list_(pa.float32()))})


@pytest.fixture
def folder(tmp_path):
    """v/: rows in .npy files; p/data/: the same in .parquet files, one of them with ids and labels."""
    (tmp_path / "v").mkdir()
    (tmp_path / "p" / "data").mkdir(parents=True)
    for name, (start, stop) in CUTS.items():
        np.save(tmp_path / "v" / name, X[start:stop])
        columns = {"id": [f"s{i}" for i in range(stop)], "label": ["x"] * stop} if start == 0 else {}
        place = tmp_path / "p" / "data" / f"{name[0]}.parquet"
        pq.write_table(tables(X[start:stop], **columns), place, row_group_size=300)
    return tmp_path


@pytest.mark.parametrize("how", ["folder", "pattern", "list"])
@pytest.mark.parametrize(("kind", "place"), [("npy", "v"), ("parquet", "p/data")])
def test_rows_come_in_the_order_of_the_files(folder, how, kind, place):
    if how == "list":
        (folder / "l.txt").write_text("\n".join(f"{place}/{name}.{kind}" for name in "abc"))
    source = open_source(
        {"folder": folder / place, "pattern": f"{folder}/{place}/*.{kind}", "list": folder / "l.txt"}[how]
    )
    assert isinstance(source, FeatureSource)
    assert (len(source), source.dimension, source.row_bytes) == (3000, 6, 24)
    for start, stop in ((0, 3000), (1000, 1200), (1100, 1101), (5, 6), (2999, 3000)):
        np.testing.assert_array_equal(source.block(start, stop), X[start:stop])
    prefix = f"{place}/" if how == "list" else ""
    assert source.id_of(2500) == f"{prefix}c.{kind}:1399"
    assert source.id_of(3) == ("s3" if kind == "parquet" else f"{prefix}a.npy:3")
    assert (source.labels is None) == (kind == "npy")
    if kind == "parquet":
        assert (source.labels[3], source.labels[2500]) == ("x", None)


def test_the_layout_of_public_data_sets(folder):
    put(folder / "p", {"README.md": b"# Data", ".gitattributes": b"x", "data/.cache/x": b"x"})
    source = open_source(folder / "p")
    assert len(source) == 3001
    assert source.id_of(1100) == "data/b.parquet:0"
    failures = write_features(source, folder / "x.npy").failures
    assert [(record.id, record.status) for record in failures] == [
        ("README.md", "beside the .parquet files, not one of them")
    ]
    np.testing.assert_array_equal(np.load(folder / "x.npy"), X)
    assert sum(source.skipped.values()) == 2


def test_encode_and_resume_by_the_same_command(folder):
    source = open_source(folder / "v")
    codec = taskcodec.fit(X, bits=30)
    options = EncodeOptions(codec=codec, refit=False)
    store = encode_job(source, folder / "s.tcz", options).store
    np.testing.assert_array_equal(store.symbols[:], codec.encode(X))
    assert store.ids[1105] == "c.npy:4"
    said = encode_job(folder / "v", folder / "s.tcz", options).notes
    assert said == (f"{folder / 'v'}: in {folder / 's.tcz'} already; nothing was done",)
    np.save(folder / "v" / "b.npy", X[:1])
    assert open_source(folder / "v").descriptor() != source.descriptor()


def test_a_file_that_cannot_be_read_is_recorded_and_the_rest_goes_on(folder):
    put(folder / "v", {"bb.npy": b"noise", "README.md": b"x"})
    np.save(folder / "v" / "labels.npy", np.zeros(9))
    failures = write_features(open_source(folder / "v"), folder / "x.npy").failures
    assert {record.id: record.status for record in failures} == {
        "bb.npy": "not a .npy file of features (another kind of file, or damaged)",
        "labels.npy": "expected an (n, d) array of numbers, found float64 (9,)",
        "README.md": "beside the .npy files, not one of them",
    }
    np.testing.assert_array_equal(np.load(folder / "x.npy"), X)
    data = bytearray((folder / "p" / "data" / "c.parquet").read_bytes())
    data[-20_000:-9000] = bytes(11_000)
    (folder / "p" / "data" / "c.parquet").write_bytes(data)
    failures = write_features(open_source(folder / "p" / "data"), folder / "x.npy").failures
    assert {record.status for record in failures} == {"damaged Parquet file (OSError)"}
    assert {record.id.partition(":")[0] for record in failures} == {"c.parquet"}
    assert len(np.load(folder / "x.npy")) + len(failures) == 3000


def test_bad_rows_of_one_file_are_told_also_where_a_block_spans_several(folder):
    rows = pa.array([[1.0] * 6, None, [1.0] * 5], pa.list_(pa.float32()))
    pq.write_table(pa.table({"features": rows}), folder / "p" / "data" / "b.parquet")
    failures = write_features(open_source(folder / "p" / "data"), folder / "x.npy").failures
    assert {record.id: record.status for record in failures} == {
        "b.parquet:1": "no vector in its row", "b.parquet:2": "a vector of 5 numbers, not 6",
    }  # fmt: skip


def test_vectors_of_another_length_name_their_file(folder):
    np.save(folder / "v" / "b.npy", X[:, :5])
    with pytest.raises(SourceError, match=r"v/b\.npy: vectors of 5 numbers, those of .*v/a\.npy have 6"):
        open_source(folder / "v")


@pytest.mark.parametrize("picture", ["a.png", "cat/0001"])
def test_images_and_vectors_in_one_folder_are_refused(folder, picture):
    put(folder / "v", {picture: as_bytes(noise())})
    with pytest.raises(
        SourceError, match=rf"holds images \({picture}\) and \.npy \(a\.npy\): name the files of one kind"
    ):
        open_source(folder / "v")


def test_a_table_of_something_else_among_images_is_one_more_file(tmp_path):
    put(tmp_path, {"cat/1.png": as_bytes(noise()), "dog/2.png": as_bytes(noise())})
    np.save(tmp_path / "classes.npy", np.zeros(3))
    pq.write_table(pa.table({"file": ["a"], "words": ["b"]}), tmp_path / "metadata.parquet")
    found = statuses(open_source(tmp_path))
    assert found["cat/1.png"] == "ok"
    assert found["classes.npy"] == found["metadata.parquet"] == "not an image that can be read"


def test_files_of_several_kinds_are_refused(folder):
    np.save(folder / "p" / "data" / "x.npy", X)
    with pytest.raises(SourceError, match=r"holds \.npy \(x\.npy\) and \.parquet \(a\.parquet\)"):
        open_source(folder / "p" / "data")
    with pytest.raises(SourceError, match="a pattern names shards"):
        open_source(f"{folder}/p/data/*")


def test_a_column_of_several_files(folder):
    for name in "abc":
        place = folder / "p" / "data" / f"{name}.parquet"
        table = pq.read_table(place)
        pq.write_table(table.append_column("other", pa.array([[1.0, 2.0]] * len(table))), place)
    for text in (f"{folder}/p/data", f"{folder}/p/data/*.parquet", f"{folder}/p"):
        assert open_source(f"{text}:other").dimension == 2
        assert open_source(text).dimension == 6
    with pytest.raises(SourceError, match="no column words"):
        open_source(f"{folder}/p:words")
    with pytest.raises(SourceError, match="only Parquet files have columns to name"):
        open_source(f"{folder}/v:other")


def test_the_command_encodes_a_folder_of_vectors(folder):
    done = run("encode", folder / "v", folder / "s.tcz", "--bits", "30")
    assert "3,000 samples, 0 not coded" in done.stdout
    assert len(taskcodec.open(folder / "s.tcz")) == 3000


# --- shards


def shard(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name in names:
            put(path.parent, {".x": as_bytes(noise())})
            archive.add(path.parent / ".x", name)


def test_shards_in_folders_below(tmp_path):
    shard(tmp_path / "data" / "train" / "0.tar", ["a.png", "b.png"])
    shard(tmp_path / "data" / "test" / "0.tar", ["a.png"])
    put(tmp_path, {"README.md": b"x", "data/train/index.json": b"{}"})
    source = open_source(tmp_path)
    assert isinstance(source, ImageSource)
    assert statuses(source) == {
        "data/test/0.tar/a.png": "ok", "data/train/0.tar/a.png": "ok", "data/train/0.tar/b.png": "ok",
        "README.md": "beside the shards, not one of them",
        "data/train/index.json": "beside the shards, not one of them",
    }  # fmt: skip


def test_a_shard_among_images_makes_no_folder_of_shards(tmp_path):
    shard(tmp_path / "more" / "0.tar", ["a.png"])
    put(tmp_path, {"cat/0001": as_bytes(noise())})  # images need not have such names
    assert statuses(open_source(tmp_path)) == {
        "cat/0001": "ok", "more/0.tar": "a shard among images: encode it by its own name",
    }  # fmt: skip


def test_a_list_of_shards(tmp_path):
    shard(tmp_path / "0.tar", ["a.png"])
    shard(tmp_path / "1.tar", ["a.png"])
    (tmp_path / "l.txt").write_text("1.tar\n0.tar\nnone.tar\n")
    found = statuses(open_source(tmp_path / "l.txt"))
    assert [(name, status) for name, status in found.items() if status == "ok"] == [
        ("1.tar/a.png", "ok"),
        ("0.tar/a.png", "ok"),
    ]
    assert "No such file" in found["none.tar"]

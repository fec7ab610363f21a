import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import taskcodec
from taskcodec.errors import (
    CorruptFileError,
    ForeignFileError,
    FutureVersionError,
    MismatchError,
    StorageError,
)
from taskcodec.store import SampleRecord, StoreWriter, pack_zip
from tests.store.written import D, N, records, write


def test_features_index_like_an_array(store, codec, x):
    whole = codec.decode(codec.encode(x))
    assert len(store) == N
    assert store.features.shape == (N, D)
    mask = np.arange(N) % 3 == 0
    for index in (slice(10, 20), slice(None), slice(None, None, -7), 5, -1, [3, 600, 3, 129], np.array([], int), mask):
        # A matrix product of other shape may round the last bit otherwise.
        assert np.allclose(store.features[index], whole[index], atol=1e-5)
    assert np.array_equal(store.symbols[:], codec.encode(x))
    assert np.allclose(np.asarray(store.features), whole, atol=1e-5)
    for small in (np.uint8(200), np.int8(-3)):  # integers too small to hold the length
        assert np.array_equal(store.symbols[small], codec.encode(x)[small])
    with pytest.raises(IndexError):
        store.features[N]


def test_ids_labels_and_parquet(store, tmp_path):
    assert store.ids[3] == "ü3"
    assert store.labels[:2].tolist() == ["even", "odd"]
    for kept in (store.ids, store.labels):  # to relabel in place would change what the store says from then on
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = "other"
    store.to_parquet(tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table["id"].to_pylist() == store.ids.tolist()
    assert np.allclose(np.array(table["features"].to_pylist(), "f4"), store.to_numpy(), atol=1e-5)


def test_parquet_is_written_whole_or_not_at_all_and_only_where_there_is_a_folder(store, tmp_path, monkeypatch):
    with pytest.raises(StorageError, match=r"x\.parquet: cannot be written: there is no folder .*none; make it first"):
        store.to_parquet(tmp_path / "none" / "x.parquet")
    assert not (tmp_path / "none").exists()

    def fails(self):
        yield store.features[:2]
        raise CorruptFileError("damaged")

    monkeypatch.setattr(type(store), "batches", fails)
    (tmp_path / "x.parquet").write_bytes(b"PAR1 before")
    with pytest.raises(CorruptFileError):
        store.to_parquet(tmp_path / "x.parquet")
    assert [file.name for file in tmp_path.iterdir()] == ["x.parquet"]
    assert (tmp_path / "x.parquet").read_bytes() == b"PAR1 before"


def test_failures_are_kept_beside_the_samples(tmp_path, codec, x):
    bad = {0, 127, 128, 300, N - 1}
    store = taskcodec.open(write(tmp_path / "f.tcz", codec, x, bad))
    good = [i for i in range(N) if i not in bad]
    assert store.failures["source_index"].to_pylist() == sorted(bad)
    assert np.array_equal(store.symbols[:], codec.encode(x[good]))
    assert store.ids.tolist() == [f"ü{i}" for i in good]


def test_other_readers_see_the_same_symbols(store):
    dask_array = pytest.importorskip("dask.array")
    xarray = pytest.importorskip("xarray")
    path = store.place
    assert np.array_equal(zarr.open(path, mode="r")["codes"][:], store.symbols[:])
    assert np.array_equal(zarr.open(path, mode="r")["codes"][130:140], store.symbols[130:140])
    assert np.array_equal(dask_array.from_zarr(str(path), component="codes").compute(), store.symbols[:])
    opened = xarray.open_zarr(str(path), consolidated=False)
    assert np.array_equal(opened["codes"].values, store.symbols[:])


def test_what_is_no_store_is_named(tmp_path, codec, x):
    with pytest.raises(ForeignFileError, match="not a taskcodec store"):
        taskcodec.open(tmp_path)
    zarr.open_group(tmp_path / "g.zarr", mode="w")
    with pytest.raises(ForeignFileError):
        taskcodec.open(tmp_path / "g.zarr")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match="other files"):
        StoreWriter.create(tmp_path, codec)
    place = write(tmp_path / "m.tcz", codec, x[:10])
    (place / "codes" / "c" / "0" / "0").unlink()
    with pytest.raises(CorruptFileError, match="codes/c/0/0: missing"):
        taskcodec.open(place).features[:]


def test_a_newer_store_is_named(tmp_path, codec, x, monkeypatch):
    monkeypatch.setattr("taskcodec.store.format.manifest.VERSION", 2)
    place = write(tmp_path / "n.tcz", codec, x[:10])
    monkeypatch.undo()
    with pytest.raises(FutureVersionError, match="upgrade"):
        taskcodec.open(place)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_index_equals_numpys(store, codec, x, data):
    symbols = codec.encode(x)
    index = data.draw(
        st.one_of(
            st.slices(N),
            st.integers(-N, N - 1),
            st.integers(-N, N - 1).map(np.array),
            st.lists(st.integers(-N, N - 1), max_size=30),
            st.lists(st.booleans(), min_size=N, max_size=N).map(np.array),
            st.tuples(st.slices(N), st.slices(D)),
            st.tuples(st.integers(-N, N - 1), st.integers(0, codec.columns - 1)),
        )
    )
    numpys = np.array(index, int) if isinstance(index, list) else index
    assert np.array_equal(store.symbols[index], symbols[numpys])


@pytest.mark.parametrize("wrong", [N, -N - 1, [0, N], np.zeros(3, bool), "a", 1.5, [[0, N]]])
def test_an_index_that_is_none_is_refused(store, wrong):
    with pytest.raises(IndexError):
        store.features[wrong]


def test_stores_without_samples_or_with_failures_only(codec, x, tmp_path):
    empty = taskcodec.open(write(tmp_path / "e.tcz", codec, x[:0]))
    failed = taskcodec.open(write(tmp_path / "f.tcz", codec, x[:5], bad=range(5)))
    for store, failures in ((empty, 0), (failed, 5)):
        assert store.features[:].shape == (0, D)
        assert (len(store), len(store.ids), store.info().failures, store.verify()) == (0, 0, failures, [])
        assert len(store.to_numpy()) == 0


@pytest.mark.parametrize("index", [True, N, -N - 1, 10**30, np.array(N), np.array(True), np.array(1.0)])
def test_what_is_no_row_is_an_index_error(store, index):
    with pytest.raises(IndexError):
        store.features[index]


def test_what_is_no_store_is_called_foreign(tmp_path, codec, x):
    folder = write(tmp_path / "x.tcz", codec, x[:100])
    codec.save(tmp_path / "x.codec")
    (tmp_path / "hello.txt").write_text("hello")
    for place in (folder / "codes", tmp_path / "x.codec", tmp_path / "hello.txt"):
        with pytest.raises(ForeignFileError, match="not a taskcodec store"):
            taskcodec.open(place)


def test_another_zarr_format_is_damage(tmp_path, codec, x):
    folder = write(tmp_path / "x.tcz", codec, x[:100])
    root = folder / "zarr.json"
    root.write_text(root.read_text().replace('"zarr_format": 3', '"zarr_format": 4'))
    with pytest.raises(CorruptFileError, match="Zarr format 3"):
        taskcodec.open(folder)


PROGRAM = """
import os, sys
import numpy, pyarrow.parquet, taskcodec

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
store = taskcodec.open(sys.argv[1])
store.labels, store.ids, store.features[0:3]
assert store.verify() == []
assert threads() == before, (before, threads())
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_reading_a_store_starts_no_threads_of_arrow(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 12)).astype("f4")
    codec = taskcodec.fit(x, bits=30)
    with StoreWriter.create(tmp_path / "x.tcz", codec) as writer:
        writer.append(codec.encode(x), [SampleRecord(str(i), i, 48, label="a") for i in range(200)])
        writer.finish()
    found = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "x.tcz"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


@pytest.fixture(scope="module")
def other(x):
    return taskcodec.fit(3 * x + 1, bits=40)


def replaced(place, codec, x):
    shutil.rmtree(place)
    write(place, codec, x, chunk=32)


READS = [
    lambda store: store.features[150],
    lambda store: store.symbols[:],
    lambda store: store.ids,
    lambda store: store.labels,
    lambda store: store.codec,
    lambda store: store.info(),
    lambda store: store.certificate,
    lambda store: list(store.batches()),
    lambda store: pickle.loads(pickle.dumps(store)),
    lambda store: pickle.loads(pickle.dumps(store.features)),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_store_that_was_replaced_is_to_be_opened_again(tmp_path, codec, other, x, read, zipped):
    place = write(tmp_path / "x.tcz", codec, x, chunk=32)
    if zipped:
        pack_zip(place, tmp_path / "x.zip")
    store = taskcodec.open(tmp_path / "x.zip" if zipped else place)
    replaced(place, other, 3 * x[:170] + 1)
    if zipped:
        pack_zip(place, tmp_path / "x.zip")
        store._blobs._process = -1  # as in a worker that is forked now, which opens the file anew
    with pytest.raises(MismatchError, match=r"x\.(tcz|zip): replaced or added to since it was opened: open it again"):
        read(store)
    assert len(taskcodec.open(store.place)) == 170


def test_verify_says_once_that_it_was_replaced(tmp_path, codec, other, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=32)
    store = taskcodec.open(place)
    replaced(place, other, x)
    assert store.verify() == [f"{place}: replaced or added to since it was opened: open it again"]


def test_a_store_that_was_added_to(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x[:100], chunk=32)
    store, sent = taskcodec.open(place), pickle.dumps(taskcodec.open(place))
    with StoreWriter.open(place, source={"kind": "more"}) as writer:
        writer.append(codec.encode(x[100:]), records(N - 100, 100))
        writer.finish()
    assert np.array_equal(store.symbols[:], codec.encode(x[:100]))  # what it had is still there
    for read in (lambda: store.ids, lambda: pickle.loads(sent)):
        with pytest.raises(MismatchError, match="added to since it was opened"):
            read()


def test_a_store_that_is_gone(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=32)
    store = taskcodec.open(place)
    place.rename(tmp_path / "y.tcz")
    with pytest.raises(MismatchError, match=r"x\.tcz: moved or removed since it was opened"):
        store.features[0]


def test_damage_is_still_called_damage(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=32)
    store = taskcodec.open(place)
    for file in (place / "codes" / "c" / "0" / "0", place / "zarr.json"):
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(CorruptFileError, match=r"codes/c/0/0: damaged"):
            store.features[0]


def test_a_store_is_found_when_the_current_folder_is_another_one(tmp_path, codec, x, monkeypatch):
    write(tmp_path / "x.tcz", codec, x, chunk=32)
    pack_zip(tmp_path / "x.tcz", tmp_path / "x.zip")
    monkeypatch.chdir(tmp_path)
    stores = [taskcodec.open(name) for name in ("x.tcz", "./x.zip", "x.tcz/")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for store in stores:
        for found in (store, pickle.loads(pickle.dumps(store))):
            assert np.array_equal(found.symbols[:], codec.encode(x))
            assert found.verify() == []

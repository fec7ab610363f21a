import multiprocessing

import numpy as np
import pyarrow.parquet as pq
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import (
    CorruptFileError,
    ForeignFileError,
    FutureVersionError,
    MismatchError,
    StorageError,
    UnfinishedWarning,
    UsageError,
)
from taskcodec.store import SampleRecord, StoreWriter, pack_zip

N, D, CHUNK = 700, 24, 128


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N, 5)) @ rng.normal(size=(5, D)) + 0.3 * rng.normal(size=(N, D))).astype("f4")


@pytest.fixture(scope="module")
def codec(x):
    return taskcodec.fit(x, bits=60)


def records(count, start=0, bad=()):
    return [
        SampleRecord(f"ü{i}", i, 100, 4, 5, "even" if i % 2 == 0 else "odd", "broken" if i in bad else "ok")
        for i in range(start, start + count)
    ]


def write(place, codec, x, bad=(), chunk=CHUNK):
    with StoreWriter.create(place, codec, chunk_rows=chunk) as writer:
        for start in range(0, len(x), 50):
            part = records(len(x[start : start + 50]), start, bad)
            kept = [record.source_index for record in part if record.status == "ok"]
            writer.append(codec.encode(x[kept]), part)
        writer.finish()
    return place


@pytest.fixture(scope="module")
def store(tmp_path_factory, codec, x):
    return taskcodec.open(write(tmp_path_factory.mktemp("s") / "x.tcz", codec, x))


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


def test_zip_memory_and_urls(store, codec, x, tmp_path):
    pack_zip(store.place, tmp_path / "x.zip")
    zipped = taskcodec.open(tmp_path / "x.zip")
    in_memory = taskcodec.open(write(MemoryStore(), codec, x))
    remote = taskcodec.open(write("memory://stores/x.tcz", codec, x))
    for other in (zipped, in_memory, remote):
        assert np.array_equal(other.symbols[:], store.symbols[:])
        assert other.verify() == []
        assert other.info().code_bytes == store.info().code_bytes


def test_appending(tmp_path, codec, x):
    place = write(tmp_path / "a.tcz", codec, x[:300])
    with StoreWriter.open(place, source={"kind": "more"}) as writer:
        writer.append(codec.encode(x[300:]), records(N - 300, 300))
        writer.finish()
    store = taskcodec.open(place)
    assert np.array_equal(store.symbols[:], codec.encode(x))
    assert store.ids.tolist() == [f"ü{i}" for i in range(N)]
    assert store.verify() == []


def test_a_writer_that_stops_leaves_the_last_commit(tmp_path, codec, x):
    place = tmp_path / "h.tcz"
    with StoreWriter.create(place, codec, chunk_rows=CHUNK) as writer:
        writer.append(codec.encode(x[:300]), records(300))
    with pytest.warns(UnfinishedWarning, match=r"h\.tcz: unfinished, 256 samples so far"):
        half = taskcodec.open(place)
    assert len(half) == 256
    assert half.info().state == "writing"
    assert np.array_equal(half.symbols[:], codec.encode(x[:256]))
    with StoreWriter.open(place) as writer:
        assert writer.resume_point == 255
        writer.append(codec.encode(x[256:]), records(N - 256, 256))
        writer.finish()
    assert np.array_equal(taskcodec.open(place).symbols[:], codec.encode(x))


def test_an_old_manifest_stays_valid_while_a_chunk_grows(tmp_path, codec, x):
    place = write(tmp_path / "g.tcz", codec, x[:200])
    before = (place / "zarr.json").read_bytes()
    with StoreWriter.open(place, source={"kind": "more"}) as writer:
        writer.append(codec.encode(x[200:256]), records(56, 200))
    (place / "zarr.json").write_bytes(before)  # as if the process had died before its manifest
    store = taskcodec.open(place)
    assert np.array_equal(store.symbols[:], codec.encode(x[:200]))
    assert store.verify() == []


def test_one_writer_at_a_time(tmp_path, codec):
    with StoreWriter.create(tmp_path / "w.tcz", codec), pytest.raises(StorageError, match="another process"):
        StoreWriter.open(tmp_path / "w.tcz")


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


def test_symbols_must_match_their_records(tmp_path, codec, x):
    with StoreWriter.create(tmp_path / "y.tcz", codec) as writer, pytest.raises(MismatchError):
        writer.append(codec.encode(x[:3]), records(2))


def test_a_full_disk_is_named_and_resumed(tmp_path, codec, x, monkeypatch):
    place = tmp_path / "d.tcz"
    replace = taskcodec.store.backend.os.replace
    allowed = iter(range(9))

    def full(source, target):
        if next(allowed, None) is None:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("taskcodec.store.backend.os.replace", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write(place, codec, x)
    monkeypatch.undo()
    with StoreWriter.open(place) as writer:
        start = writer.resume_point + 1
        writer.append(codec.encode(x[start:]), records(N - start, start))
        writer.finish()
    assert np.array_equal(taskcodec.open(place).symbols[:], codec.encode(x))
    assert taskcodec.open(place).verify() == []


@pytest.mark.parametrize(
    ("start", "style"),
    [
        ("fork", "map"),
        ("fork", "iterable"),
        ("spawn", "map"),
        pytest.param("spawn", "iterable", marks=pytest.mark.slow),
    ],
)
def test_torch_loaders(store, style, start):
    torch_data = pytest.importorskip("torch.utils.data")
    dataset = store.torch(style=style, **({"shuffle": True} if style == "iterable" else {}))
    loader = torch_data.DataLoader(
        dataset, batch_size=64, num_workers=2, multiprocessing_context=multiprocessing.get_context(start)
    )
    batches = list(loader)
    features = np.concatenate([batch.numpy() for batch, _ in batches])
    labels = np.concatenate([target.numpy() for _, target in batches])
    assert features.shape == (N, D)
    assert np.allclose(np.sort(features[:, 0]), np.sort(store.features[:, 0]), atol=1e-5)
    assert (labels == 1).sum() == N // 2


def test_random_access_leaves_the_order_to_the_loader(store):
    pytest.importorskip("torch")
    with pytest.raises(UsageError, match="DataLoader"):
        store.torch(shuffle=True)


def test_random_access_takes_one_index_at_a_time(store):
    torch = pytest.importorskip("torch")
    dataset = store.torch()
    for index in (3, np.int64(3), torch.tensor(3)):
        assert np.allclose(dataset[index][0].numpy(), store.features[3], atol=1e-5)
    for wrong in (slice(0, 2), [0, 1], 1.5):
        with pytest.raises(UsageError, match=r"store\.features"):
            dataset[wrong]


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


@pytest.mark.parametrize("chunk", [7, 100, 350, 5000])
def test_the_length_of_chunks_changes_no_symbol(codec, x, chunk):
    store = taskcodec.open(write(MemoryStore(), codec, x[:350], chunk=chunk))
    assert np.array_equal(store.symbols[:], codec.encode(x[:350]))
    assert store.verify() == []


def test_stores_without_samples_or_with_failures_only(codec, x, tmp_path):
    empty = taskcodec.open(write(tmp_path / "e.tcz", codec, x[:0]))
    failed = taskcodec.open(write(tmp_path / "f.tcz", codec, x[:5], bad=range(5)))
    for store, failures in ((empty, 0), (failed, 5)):
        assert store.features[:].shape == (0, D)
        assert (len(store), len(store.ids), store.info().failures, store.verify()) == (0, 0, failures, [])
        assert len(store.to_numpy()) == 0


def test_samples_that_are_all_zero_are_kept(codec, tmp_path):
    """Zarr fills what is absent with zeros, and so do we: rows at the end of a chunk that are zero are not coded."""
    symbols = np.zeros((10, codec.columns), np.int32)
    symbols[[0, 6]] = 1
    with StoreWriter.create(tmp_path / "z.tcz", codec, chunk_rows=4) as writer:
        writer.append(symbols, records(10))
        writer.finish()
    store = taskcodec.open(tmp_path / "z.tcz")
    assert np.array_equal(store.symbols[:], symbols)
    assert np.array_equal(zarr.open(tmp_path / "z.tcz", mode="r")["codes"][:], symbols)


def test_the_rate_is_that_of_the_files(store):
    files = [path.stat().st_size for path in (store.place / "codes" / "c").rglob("*") if path.is_file()]
    info = store.info()
    assert info.code_bytes == sum(files)
    assert info.bits_per_sample == pytest.approx(8 * sum(files) / N)
    assert info.store_bytes == sum(path.stat().st_size for path in store.place.rglob("*") if path.is_file())
    assert info.source_bytes == 100 * N


def test_shuffled_streams_see_each_sample_once_an_epoch(store):
    pytest.importorskip("torch")
    dataset = store.torch(style="iterable", shuffle=True, seed=3)
    epochs = [np.stack([row.numpy() for row, _ in dataset]) for _ in range(2)]
    assert not np.array_equal(*epochs)
    for epoch in epochs:
        assert np.allclose(np.sort(epoch[:, 1]), np.sort(store.features[:, 1]), atol=1e-5)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_shuffle_anew_each_epoch_and_share_out_one_order(store, persistent):
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    def epochs(seed, count=3):
        torch.manual_seed(0)
        dataset = store.torch(style="iterable", shuffle=True, seed=seed)
        loader = DataLoader(dataset, batch_size=32, num_workers=2, persistent_workers=persistent)
        return [np.concatenate([batch.numpy() for batch, _ in loader]) for _ in range(count)]

    first, again, other = epochs(3), epochs(3), epochs(4, 1)
    for a in range(3):
        assert np.array_equal(first[a], again[a])
        assert not any(np.array_equal(first[a], first[b]) for b in range(a))
        rows = np.round(first[a], 3)
        assert len(rows) == N
        assert len(np.unique(rows, axis=0)) == len(np.unique(np.round(store.features[:], 3), axis=0))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("index", [True, N, -N - 1, 10**30, np.array(N), np.array(True), np.array(1.0)])
def test_what_is_no_row_is_an_index_error(store, index):
    with pytest.raises(IndexError):
        store.features[index]


def test_a_zip_is_read_by_forked_workers_while_the_parent_reads(tmp_path, codec, x):
    pack_zip(write(tmp_path / "x.tcz", codec, x), tmp_path / "x.zip")
    zipped = taskcodec.open(tmp_path / "x.zip")
    expected = codec.encode(x)

    def fail_unless_equal():
        for _ in range(30):
            zipped._cache.clear()
            assert np.array_equal(zipped.symbols[:], expected)

    workers = [multiprocessing.get_context("fork").Process(target=fail_unless_equal) for _ in range(2)]
    for worker in workers:
        worker.start()
    fail_unless_equal()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]


def test_a_codec_is_loaded_from_any_kind_of_store(tmp_path, codec, x):
    folder = write(tmp_path / "x.tcz", codec, x[:100])
    pack_zip(folder, tmp_path / "x.zip")
    for place in (folder, tmp_path / "x.zip", f"file://{folder}"):
        assert taskcodec.load_codec(place).fingerprint == codec.fingerprint
    opened = taskcodec.open(zarr.storage.ZipStore(tmp_path / "x.zip", mode="r"))
    assert opened.codec.fingerprint == codec.fingerprint
    assert opened.verify() == []


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

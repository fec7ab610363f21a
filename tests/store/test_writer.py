"""Writing: appended, stopped, resumed, and with what does not fit."""

import re
import shutil

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import (
    MismatchError,
    StorageError,
    UnfinishedWarning,
    UsageError,
)
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.format.manifest import max_chunk_rows
from tests.store.written import CHUNK, N, records, write


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
    left = store.verify()
    assert len(left) == 2
    assert all(re.search(r"samples/part-00000\d-\w+\.parquet: belongs to no sample", line) for line in left)


def test_one_writer_at_a_time(tmp_path, codec):
    with StoreWriter.create(tmp_path / "w.tcz", codec), pytest.raises(StorageError, match="another process"):
        StoreWriter.open(tmp_path / "w.tcz")


def test_symbols_must_match_their_records(tmp_path, codec, x):
    with StoreWriter.create(tmp_path / "y.tcz", codec) as writer, pytest.raises(MismatchError):
        writer.append(codec.encode(x[:3]), records(2))


def test_a_full_disk_is_named_and_resumed(tmp_path, codec, x, monkeypatch):
    place = tmp_path / "d.tcz"
    replace = taskcodec.store.places.folder.os.replace
    allowed = iter(range(9))

    def full(source, target):
        if next(allowed, None) is None:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("taskcodec.store.places.folder.os.replace", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write(place, codec, x)
    monkeypatch.undo()
    with StoreWriter.open(place) as writer:
        start = writer.resume_point + 1
        writer.append(codec.encode(x[start:]), records(N - start, start))
        writer.finish()
    assert np.array_equal(taskcodec.open(place).symbols[:], codec.encode(x))
    assert taskcodec.open(place).verify() == []


@pytest.mark.parametrize("chunk", [7, 100, 350, 5000])
def test_the_length_of_chunks_changes_no_symbol(codec, x, chunk):
    store = taskcodec.open(write(MemoryStore(), codec, x[:350], chunk=chunk))
    assert np.array_equal(store.symbols[:], codec.encode(x[:350]))
    assert store.verify() == []


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


@pytest.fixture(scope="module")
def sound(tmp_path_factory, codec, x):
    place = tmp_path_factory.mktemp("strange") / "x.tcz"
    with StoreWriter.create(place, codec, chunk_rows=64) as writer:
        records = [SampleRecord(f"s{i}", i, 24) for i in range(100)]
        writer.append(codec.encode(x), [*records, SampleRecord("bad", 100, 1, status="broken")])
        writer.finish()
    return place


@pytest.fixture
def place(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "x.tcz")


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_chunks_of_no_sensible_length_are_refused(tmp_path, codec, beyond):
    rows = max_chunk_rows(codec.columns) + 1 if beyond > 0 else beyond
    with pytest.raises(UsageError, match="chunks hold 1 to"):
        StoreWriter.create(tmp_path / "x.tcz", codec, chunk_rows=rows)
    assert not (tmp_path / "x.tcz").exists()


@pytest.mark.filterwarnings("ignore::taskcodec.errors.UnfinishedWarning")
@pytest.mark.parametrize("call", ["open", "replace"])
@pytest.mark.slow
def test_a_disk_that_fills_at_any_moment_loses_nothing_committed(tmp_path, codec, x, monkeypatch, call):
    """Fail the first, second, ... write in turn; what can be resumed is, and the symbols come out the same."""
    import builtins
    import os

    x = x[:100]
    real = {"open": builtins.open, "replace": os.replace}[call]
    records = [SampleRecord(f"s{i}", i, 24) for i in range(100)]
    symbols, finished = codec.encode(x), 0
    for allowed in range(40):
        writes = iter(range(allowed))

        def full(*arguments, writes=writes, **options):
            if str(arguments[0]).endswith(".partial") and next(writes, None) is None:
                raise OSError(28, "No space left on device")
            return real(*arguments, **options)

        place = tmp_path / f"{allowed}.tcz"
        with monkeypatch.context() as patch:
            patch.setattr(
                *(("builtins.open", full) if call == "open" else ("taskcodec.store.places.folder.os.replace", full))
            )
            try:
                with StoreWriter.create(place, codec, chunk_rows=32) as writer:
                    writer.append(symbols, records)
                    writer.finish()
                finished += 1
            except StorageError as error:
                assert "No space left on device" in str(error)
        if finished:
            break
        if (place / "zarr.json").exists():
            committed = taskcodec.open(place)
            assert np.array_equal(committed.symbols[:], symbols[: len(committed)])
            writer = StoreWriter.open(place)
        else:
            writer = StoreWriter.create(place, codec, chunk_rows=32)
        with writer:
            start = writer.resume_point + 1
            writer.append(symbols[start:], records[start:])
            writer.finish()
        assert np.array_equal(taskcodec.open(place).symbols[:], symbols)
        assert taskcodec.open(place).verify() == []
        assert not list(place.rglob("*.partial"))
    assert finished
    assert allowed > 10


def test_a_store_of_one_chunk_is_as_older_versions_wrote_it(codec, x):
    """Also where its commits wait: a part for the chunk, and one for the failures behind it."""
    place = MemoryStore()
    with StoreWriter.create(place, codec, chunk_rows=64) as writer:
        writer.append(codec.encode(x[:64]), [*records(64), SampleRecord("bad", 64, 1, status="broken")])
        assert writer.finish().version == 1
    assert sorted(key.split("-")[0] for key in place._store_dict) == [
        "codec.safetensors",
        "codes/c/0/0",
        "codes/zarr.json",
        "samples/part",
        "samples/part",
        "zarr.json",
    ]
    assert taskcodec.open(place).verify() == []

"""Stores in folders, zip files, memory and under URLs."""

import os

import numpy as np
import pytest
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import StorageError
from taskcodec.store import StoreWriter, pack_zip
from taskcodec.store.backend import change, open_blobs
from tests.store.written import read_by_forks, write


def test_zip_memory_and_urls(store, codec, x, tmp_path):
    pack_zip(store.place, tmp_path / "x.zip")
    zipped = taskcodec.open(tmp_path / "x.zip")
    in_memory = taskcodec.open(write(MemoryStore(), codec, x))
    remote = taskcodec.open(write("memory://stores/x.tcz", codec, x))
    for other in (zipped, in_memory, remote):
        assert np.array_equal(other.symbols[:], store.symbols[:])
        assert other.verify() == []
        assert other.info().code_bytes == store.info().code_bytes


def test_a_zip_is_read_by_forked_workers_while_the_parent_reads(tmp_path, codec, x):
    pack_zip(write(tmp_path / "x.tcz", codec, x), tmp_path / "x.zip")
    zipped = taskcodec.open(tmp_path / "x.zip")
    read_by_forks(zipped, codec.encode(x), times=30)


def test_a_remote_store_that_is_there_is_not_begun_again(codec, x):
    place = write("memory://two-writers/there.tcz", codec, x[:100])
    with pytest.raises(StorageError, match="there is a store already; append to it or name another place"):
        StoreWriter.create(place, codec)


def test_a_zip_file_is_changed_as_a_folder_is(tmp_path):
    for key, data in {"a": b"1", "b/c": b"2", "b/d": b"3"}.items():
        open_blobs(tmp_path / "a").put(key, data)
    pack_zip(tmp_path / "a", tmp_path / "a.zip")
    for place in (tmp_path / "a", f"file://{tmp_path}/a.zip"):
        blobs = open_blobs(place)
        change(blobs, {"b/c": None, "a": b"new", "e": b"5"})
        assert {key: blobs.get(key) for key in blobs.sizes()} == {"a": b"new", "b/d": b"3", "e": b"5"}
        assert blobs.get("b/c") is None
    pack_zip(tmp_path / "a", tmp_path / "again.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


PIECES = {
    (0, 3): b"012",
    (4, 100): b"456789",
    (9, 1): b"9",
    (10, 5): b"",
    (20, 5): b"",
    (-3, 2): b"78",
    (-20, 4): b"0123",
}


@pytest.mark.parametrize("kind", ["folder", "zip", "memory", "zarr", "s3"])
def test_a_piece_of_a_key_is_what_a_slice_of_it_is(kind, tmp_path, request):
    made = {"folder": tmp_path / "a", "zip": tmp_path / "a", "memory": "memory://pieces/a", "zarr": MemoryStore()}
    blobs = open_blobs(request.getfixturevalue("s3").url("a") if kind == "s3" else made[kind])
    blobs.put("k/x", b"0123456789")
    blobs.put("empty", b"")
    if kind == "zip":
        pack_zip(tmp_path / "a", tmp_path / "a.zip")
        blobs = open_blobs(tmp_path / "a.zip")
    assert {piece: blobs.get_range("k/x", *piece) for piece in PIECES} == PIECES
    assert blobs.get_range("k/none", 0, 3) is None
    assert blobs.get_range("empty", 0, 3) == blobs.get_range("empty", -3, 3) == b""


def test_two_processes_may_put_the_same_chunk_at_the_same_time(tmp_path, monkeypatch):
    replace, others = os.replace, [b"same"]

    def put_by_another_meanwhile(source, target):
        while others:
            open_blobs(tmp_path).put("codes/c/0", others.pop())
        replace(source, target)

    monkeypatch.setattr("os.replace", put_by_another_meanwhile)
    open_blobs(tmp_path).put("codes/c/0", b"same")
    assert open_blobs(tmp_path).sizes() == {"codes/c/0": 4}

"""Stores in folders, zip files, memory and under URLs."""

import multiprocessing

import numpy as np
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.store import pack_zip
from tests.store.written import write


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

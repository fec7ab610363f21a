"""Stores as the writer writes them, and as several processes read them."""

import multiprocessing

import numpy as np

from taskcodec.store import SampleRecord, StoreWriter

N, D, CHUNK = 700, 24, 128


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


def read_by_forks(store, expected, times=1):
    """Two forked workers and their parent read all symbols, at the same time."""

    def fail_unless_equal():
        for _ in range(times):
            vars(store).pop("_symbols", None)  # so that chunks are read again
            assert np.array_equal(store.symbols[:], expected)

    workers = [multiprocessing.get_context("fork").Process(target=fail_unless_equal) for _ in range(2)]
    for worker in workers:
        worker.start()
    fail_unless_equal()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]

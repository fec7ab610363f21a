"""Two writers never both win; one that was killed does not block the next for long."""

import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import StorageError
from taskcodec.store import StoreWriter
from taskcodec.store.backend import open_blobs
from taskcodec.store.places import faults, lock
from tests.s3 import Faults
from tests.store.written import records, write

BUSY = "another process is writing this store"


def test_the_second_writer_is_refused_until_the_first_is_done(url, codec, x):
    with StoreWriter.create(url, codec, chunk_rows=128) as writer:
        with pytest.raises(StorageError, match=rf"{BUSY} \(process \d+ on .*, heard of \d seconds ago\); where it was"):
            StoreWriter.open(url)
        writer.append(codec.encode(x[:300]), records(300))
        writer.finish()
    with StoreWriter.open(url, source={}) as writer:
        writer.append(codec.encode(x[300:]), records(400, 300))
        writer.finish()
    store = taskcodec.open(url)
    assert np.array_equal(store.symbols[:], codec.encode(x))
    assert store.verify() == []
    assert ".lock" not in open_blobs(url).sizes()


def test_of_many_that_begin_at_once_one_wins(s3, codec, x):
    url, won, lost = s3.url("x.tcz"), list[int](), list[str]()
    ready = threading.Barrier(6)

    def begin(number):
        ready.wait()
        try:
            with StoreWriter.create(url, codec, chunk_rows=128) as writer:
                writer.append(codec.encode(x[:200]), records(200))
                time.sleep(0.2)
                writer.finish()
            won.append(number)
        except StorageError as error:
            lost.append(str(error))

    with s3.failing(Faults(share=0.1, kinds=("slow_down", "reset"), after=True)):
        threads = [threading.Thread(target=begin, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(won) == 1
    assert all(BUSY in line or "there is a store already" in line for line in lost)
    store = taskcodec.open(url)
    assert store.verify() == []
    assert np.array_equal(store.symbols[:], codec.encode(x[:200]))


@pytest.mark.slow
def test_a_writer_of_this_machine_that_was_killed_blocks_nobody(s3, codec, x):
    url = write(s3.url("x.tcz"), codec, x[:300])
    script = f"""
import os, signal
from taskcodec.store import StoreWriter
writer = StoreWriter.open({url!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    assert ".lock" in "".join(s3.keys())
    with StoreWriter.open(url, source={}) as writer:
        writer.append(codec.encode(x[300:]), records(400, 300))
        writer.finish()
    assert np.array_equal(taskcodec.open(url).symbols[:], codec.encode(x))


def foreign(seconds):
    """The lock of a process elsewhere, written so long ago by its clock."""
    content = {"owner": "0", "machine": "elsewhere", "host": "far", "process": 7, "started": "1"}
    return json.dumps({**content, "written": time.time() - seconds}).encode()


@pytest.mark.slow
def test_a_lock_of_another_machine_expires(url, codec, x, monkeypatch):
    write(url, codec, x)
    open_blobs(url).put(".lock", foreign(10))
    with pytest.raises(StorageError, match=r"process 7 on far.* again in \d+ seconds, or remove .lock there to go on"):
        StoreWriter.open(url)
    monkeypatch.setattr(lock, "EXPIRES", 0.5)
    monkeypatch.setattr(lock, "MARGIN", 0.1)
    time.sleep(1.6)  # servers count whole seconds
    StoreWriter.open(url).close()


def test_what_is_no_lock_of_ours_is_left_alone(url, codec, x):
    write(url, codec, x)
    open_blobs(url).put(".lock", b"no JSON")
    with pytest.raises(StorageError, match="not one of taskcodec's; remove it"):
        StoreWriter.open(url)
    assert open_blobs(url).get(".lock") == b"no JSON"


def test_a_writer_that_works_long_is_heard_of(s3, codec, x, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.2)
    url = write(s3.url("x.tcz"), codec, x)
    writer = StoreWriter.open(url)
    before = open_blobs(url).get(".lock")
    time.sleep(0.7)
    assert open_blobs(url).get(".lock") != before
    writer.close()


def test_a_writer_that_slept_while_another_took_over_writes_nothing(s3, codec, x, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 3600)  # it is stopped, and so is its sign of life
    url = s3.url("x.tcz")
    StoreWriter.create(url, codec, chunk_rows=128).close()
    sleeper = StoreWriter.open(url)
    open_blobs(url).delete(".lock")  # as its successor may once it has expired
    with StoreWriter.open(url) as successor:
        successor.append(codec.encode(x[:300]), records(300))
        successor.commit()
        # Its commit is refused, whatever it believes ...
        with pytest.raises(StorageError, match=rf"{BUSY}, and has committed to it since: what it wrote is kept"):
            sleeper.finish()
        # ... and once it knows how late it is, it does not put a chunk either.
        monkeypatch.setattr(lock, "EXPIRES", 0.0)
        with s3.counting() as seen, pytest.raises(StorageError, match="lost its turn"):
            sleeper.append(codec.encode(x[300:500]), records(200, 300))
        assert seen.total == 0
        monkeypatch.undo()
        sleeper.close()
        successor.finish()
    store = taskcodec.open(url)
    assert store.verify() == []
    assert np.array_equal(store.symbols[:], codec.encode(x[:300]))


def test_where_a_server_knows_no_conditions_the_second_writer_is_refused_too(s3, codec, x, monkeypatch):
    url = s3.url("x.tcz")
    monkeypatch.setattr(s3.watched, "without_conditions", True)
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)
    with StoreWriter.create(url, codec, chunk_rows=128) as writer:
        with pytest.raises(StorageError, match=BUSY):
            StoreWriter.open(url)
        writer.append(codec.encode(x), records(700))
        writer.finish()
    assert taskcodec.open(url).verify() == []

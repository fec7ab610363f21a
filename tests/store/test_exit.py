"""A process that read a store ends in order: no thread of Arrow's is left behind to meet a dying interpreter."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from taskcodec.store import SampleRecord, StoreWriter

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

"""A sound store, and a copy of it to damage."""

import shutil

import numpy as np
import pytest

import taskcodec
from taskcodec.store import SampleRecord, StoreWriter


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(100, 6)).astype("f4")


@pytest.fixture(scope="module")
def codec(x):
    return taskcodec.fit(x, bits=20)


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

"""Layers as a store shows them."""

import re

import numpy as np
import pytest
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import UsageError
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.backend import open_blobs
from taskcodec.store.file_layers.layout import BesideLayer
from taskcodec.store.file_layers.writer import ItemWriter

FILES = [b"", b"one", b"", b"three", b"four"]


@pytest.fixture
def place():
    """Five samples of a source, the second and the last of which could not be coded; files of some."""
    x = np.random.default_rng(0).normal(size=(200, 4)).astype("f4")
    codec, place = taskcodec.fit(x, bits=20), MemoryStore()
    with StoreWriter.create(place, codec) as writer:
        status = ["ok", "broken", "ok", "ok", "broken"]
        records = [SampleRecord(f"s{n}", n, 10, status=each) for n, each in enumerate(status)]
        writer.append(codec.encode(x[:3]), records)
        writer.finish()
    layer = ItemWriter(open_blobs(place), BesideLayer("picture", "picture", 0, 2))
    layer.append(FILES)
    layer.commit()
    return place


def test_rows_are_those_of_the_features(place):
    store = taskcodec.open(place)
    layer = store.layer("picture")
    assert store.layers == ("features", "picture")
    assert len(layer) == len(store) == 3
    assert layer[2] == layer[-1] == b"three"
    assert [layer.has(row) for row in range(3)] == [False, False, True]
    assert [layer.of_source(index) for index in range(6)] == [None, b"one", None, b"three", b"four", None]
    with pytest.raises(UsageError, match="its layer picture has nothing of row 0"):
        layer[0]
    for row in (3, -4):
        with pytest.raises(IndexError, match="out of range for 3 samples"):
            layer[row]


def test_what_is_not_there_is_named(place):
    with pytest.raises(UsageError, match="no layer 'original' of files; there are features, picture"):
        taskcodec.open(place).layer("original")
    with pytest.raises(UsageError, match="no layer 'features' of files"):
        taskcodec.open(place).layer("features")


def test_bytes_of_each_layer_add_up(place):
    store = taskcodec.open(place)
    info = store.info()
    sizes = open_blobs(place).sizes()
    assert list(info.layers) == ["features", "picture"]
    assert info.layers["features"].bytes == info.code_bytes
    assert info.layers["picture"].bytes == sum(size for key, size in sizes.items() if key.startswith("layers/picture/"))
    assert info.layers["picture"].bits_per_sample == pytest.approx(8 * info.layers["picture"].bytes / 3)
    assert info.store_bytes == sum(sizes.values())


def test_what_a_layer_covers_are_coded_samples(place):
    blobs = open_blobs(place)
    for items, samples in ((0, 0), (1, 1), (2, 1), (3, 2), (4, 3), (5, 3)):
        short = ItemWriter(blobs, BesideLayer("original", "original", 0, 8))
        short.append([b"\0abc"] * items)
        short.commit()
        found = taskcodec.open(place).info().layers["original"]
        assert (found.samples, found.fault) == (samples, None)
        assert found.bits_per_sample == (pytest.approx(8 * found.bytes / samples) if samples else None)


def test_a_layer_of_a_later_version_is_not_called_damaged(place):
    blobs = open_blobs(place)
    data = blobs.get("layers/picture/zarr.json")
    blobs.put("layers/picture/zarr.json", re.sub(rb'"version": ?1', b'"version": 2', data))
    found = taskcodec.open(place).info().layers["picture"]
    assert (found.bytes, found.fault) == (None, "written by a later taskcodec: upgrade this one")


def test_verify_tells_a_layer_that_is_cut_short_or_damaged(place):
    store, blobs = taskcodec.open(place), open_blobs(place)
    assert store.verify() == []
    short = ItemWriter(blobs, BesideLayer("original", "original", 0, 8))
    short.append([b"\0abc"])
    short.commit()
    (fault,) = store.verify()
    assert "its layer original has 1 of 5 samples; run encode with --layers original again" in fault
    data = bytearray(blobs.get("layers/picture/c/1"))
    data[4] ^= 1
    blobs.put("layers/picture/c/1", bytes(data))
    assert "layers/picture/c/1: damaged" in store.verify()[0]


def test_reading_features_reads_nothing_of_them(place):
    store = taskcodec.open(place)
    asked = []
    for name in ("get", "get_range"):
        whole = getattr(store._blobs, name)
        setattr(store._blobs, name, lambda key, *more, whole=whole: asked.append(key) or whole(key, *more))
    assert store.features[:].shape == (3, 4)
    assert list(store.ids) == ["s0", "s2", "s3"]
    assert asked
    assert not any(key.startswith("layers/") for key in asked)

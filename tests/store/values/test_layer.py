import numpy as np
import pytest

import taskcodec
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.fitting.lossless.fit import fit_lossless
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.transforms.values.pixels import PixelValues
from tests.coding.make_golden import FOLDER
from tests.lossless import strokes

PICTURES = strokes(70, channels=3)


@pytest.fixture(scope="module")
def codec():
    return fit_lossless(PICTURES[:40], PixelValues((7, 6, 3)))


@pytest.fixture
def store(tmp_path, codec):
    with StoreWriter.create(tmp_path / "s.tcz", codec, chunk_rows=32) as writer:
        writer.append(codec.encode(PICTURES), [SampleRecord(str(row), row, 126) for row in range(70)])
        writer.finish()
    return taskcodec.open(tmp_path / "s.tcz")


def test_values_are_those_that_were_written(store):
    values = store.values
    assert len(values) == 70
    assert values[:].dtype == np.uint8
    for rows in (slice(None), slice(30, 40), 69, [5, 3, 64], np.arange(70) % 7 == 0):
        assert np.array_equal(values[rows], PICTURES[rows])
    assert np.array_equal(np.concatenate(list(values.batches())), PICTURES)
    assert store.layers == ("base",)
    assert np.array_equal(store.layer("base")[3], PICTURES[3])


def test_it_has_no_features(store):
    with pytest.raises(UsageError, match="no features"):
        _ = store.features
    with pytest.raises(UsageError, match="not lossless"):
        _ = taskcodec.open(FOLDER / "golden.tcz").values


def test_the_model_lies_in_the_codec_alone(store, codec):
    sizes = store._blobs.sizes()
    assert sizes["layers/base/zarr.json"] < 2000
    assert store.manifest.version == 5
    assert store.info().columns == 126
    assert store.info().bits_per_sample == pytest.approx(codec.code_length(codec.encode(PICTURES)).mean(), rel=0.02)


@pytest.mark.slow
def test_damage_is_told(store):
    assert store.verify() == []
    place = store.place / "layers/base/c/1"
    data = place.read_bytes()
    for at in range(len(data)):
        place.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(CorruptFileError, match="layers/base/c/1"):
            taskcodec.open(store.place).values[40]
    place.write_bytes(data)
    assert taskcodec.open(store.place).verify() == []


def test_a_chunk_without_its_block_is_told(store):
    from google_crc32c import value

    place = store.place / "layers/base/c/1"
    for block in (b"\0", b"\2\1\1aa", b"\1\5\41\1\0\0\0"):
        place.write_bytes(block + value(block).to_bytes(4, "little"))
        with pytest.raises(CorruptFileError, match="layers/base/c/1"):
            taskcodec.open(store.place).values[40]


def test_files_of_sound_chunks_come_beside_the_faults_of_a_damaged_one(store):
    place = store.place / "layers/base/c/1"
    place.write_bytes(place.read_bytes()[:-1])
    found = list(store.values.of_sources(range(70)))
    faults = [row for row, each in enumerate(found) if isinstance(each, CorruptFileError)]
    assert faults == list(range(32, 64))
    assert all(each.startswith(b"\x89PNG") for row, each in enumerate(found) if row not in faults)

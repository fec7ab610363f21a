"""Changed and cut bytes in any file are noticed or harmless; never silent, never a crash."""

import os
import random
import shutil

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import TaskcodecError
from taskcodec.store import SampleRecord, StoreWriter, pack_zip
from tests.conditional import conditional

TRIALS = int(os.environ.get("TASKCODEC_FAULTS", "250"))


def everything(place):
    """All that a reader can learn of a store."""
    store = taskcodec.open(place)
    return (
        store.ids.tolist(),
        None if store.labels is None else store.labels.tolist(),
        store.failures.to_pylist(),
        store.codec.fingerprint,
        store.symbols[:].tobytes(),
        store.features[:].tobytes(),
        store.info().code_bytes,
        store.find(store.ids.tolist()).tolist(),
        len(store),
    )


def damaged(data, generator):
    if generator.random() < 0.25:
        return data[: generator.randrange(len(data))]
    position = generator.randrange(len(data))
    return data[:position] + bytes([data[position] ^ generator.randrange(1, 256)]) + data[position + 1 :]


@pytest.fixture(scope="module", params=["plain", "conditional"])
def place(request, tmp_path_factory):
    x = np.random.default_rng(0).normal(size=(200, 12)).astype("f4")
    codec = taskcodec.fit(x, bits=30)
    codec = conditional(codec) if request.param == "conditional" else codec
    folder = tmp_path_factory.mktemp("faults") / "x.tcz"
    with StoreWriter.create(folder, codec, chunk_rows=64) as writer:
        records = [SampleRecord(f"s{i}", i, 48, label=str(i % 3)) for i in range(200)]
        writer.append(codec.encode(x), [*records, SampleRecord("bad", 200, 1, status="broken")])
        writer.finish()
    return folder


def test_a_store_never_lies(place, tmp_path):
    sound = everything(place)
    files = sorted(path.relative_to(place) for path in place.rglob("*") if path.is_file())
    copy = tmp_path / "copy.tcz"
    shutil.copytree(place, copy)
    generator = random.Random(0)
    noticed = 0
    for trial in range(TRIALS):
        file = files[trial % len(files)]
        data = (place / file).read_bytes()
        (copy / file).write_bytes(damaged(data, generator))
        try:
            assert everything(copy) == sound, f"{file} lied in trial {trial}"
        except TaskcodecError as error:
            assert file.name in str(error) or str(copy) in str(error)
            noticed += 1
        (copy / file).write_bytes(data)
    assert noticed > 0.8 * TRIALS
    assert everything(copy) == sound


def test_verify_names_every_fault(place, tmp_path):
    copy = tmp_path / "copy.tcz"
    shutil.copytree(place, copy)
    for file in ("codes/c/0/0", "codes/c/2/0"):
        data = bytearray((copy / file).read_bytes())
        data[10] ^= 4
        (copy / file).write_bytes(data)
    faults = taskcodec.open(copy).verify()
    assert len(faults) == 2
    assert "codes/c/0/0" in faults[0]
    assert "codes/c/2/0" in faults[1]


@pytest.mark.slow
def test_a_zip_never_lies(place, tmp_path):
    path = tmp_path / "x.zip"
    pack_zip(place, path)
    sound, data, generator = everything(path), path.read_bytes(), random.Random(1)
    for trial in range(TRIALS):
        path.write_bytes(damaged(data, generator))
        try:
            assert everything(path) == sound, f"lied in trial {trial}"
        except TaskcodecError:
            continue


def test_a_codec_never_lies(place, tmp_path):
    path = tmp_path / "x.codec"
    data = (place / "codec.safetensors").read_bytes()
    path.write_bytes(data)
    fingerprint, generator = taskcodec.load_codec(path).fingerprint, random.Random(2)
    for _ in range(TRIALS):
        path.write_bytes(damaged(data, generator))
        try:
            assert taskcodec.load_codec(path).fingerprint == fingerprint
        except TaskcodecError as error:
            assert "x.codec" in str(error)


@pytest.mark.parametrize("other", [1, 3])
def test_a_chunk_in_another_ones_place_is_noticed(place, tmp_path, other):
    copy = tmp_path / "copy.tcz"
    shutil.copytree(place, copy)
    shutil.copy(copy / "codes" / "c" / str(other) / "0", copy / "codes" / "c" / "2" / "0")
    faults = taskcodec.open(copy).verify()
    assert len(faults) == 1
    assert "codes/c/2/0: not the symbols that belong there" in faults[0]
    with pytest.raises(TaskcodecError, match="not the symbols that belong there"):
        taskcodec.open(copy).features[130]

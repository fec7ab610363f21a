"""Files made to mislead: every checksum in them is right, what they say is not. And every kind of missing file."""

import copy
import json
import shutil

import google_crc32c
import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.errors import CorruptFileError, FutureVersionError, StorageError, TaskcodecError, UsageError
from taskcodec.store import AnsCodec, SampleRecord, StoreWriter
from taskcodec.store.format.manifest import canonical, sha256

ODD = [None, True, -1, 0, 7, 2**39, 2**70, 10**400, 1.5, "", "x", "\ud800", [], [1], {}, {"a": 1}]


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


def everything(place):
    store = taskcodec.open(place)
    found = store.ids.tolist(), store.symbols[:].tobytes(), store.features[:].tobytes(), store.failures.to_pylist()
    return *found, store.info().failures, store.verify()


def sites(content, path=()):
    """The path of everything inside nested JSON."""
    if path:
        yield path
    steps = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in steps:
        yield from sites(value, (*path, key))


def changed(content, path, value):
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


def sign(place, content):
    group = json.loads((place / "zarr.json").read_text())
    group["attributes"] = {"taskcodec": content, "taskcodec_sha256": sha256(canonical(content))}
    (place / "zarr.json").write_text(json.dumps(group))


def test_a_manifest_signed_anew_is_refused_or_harmless(place):
    expected = everything(place)
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    for path in sites(content):
        for value in ODD:
            sign(place, changed(content, path, value))
            try:
                found = everything(place)
            except TaskcodecError as error:
                assert str(place) in str(error)
                continue
            assert found[-1] or found == expected, f"{path} = {value!r} passed for sound"


@pytest.mark.parametrize("lost", ["format", "state", "parts", "samples", "codec_sha256"])
def test_a_manifest_that_lacks_a_field_is_refused(place, lost):
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    del content[lost]
    sign(place, content)
    with pytest.raises(CorruptFileError, match=r"zarr\.json"):
        taskcodec.open(place)


def test_every_missing_file_is_named(sound, tmp_path):
    keys = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.is_file())
    assert len(keys) == 7
    for number, key in enumerate(keys):
        place = shutil.copytree(sound, tmp_path / f"{number}.tcz")
        (place / key).unlink()
        try:
            store = taskcodec.open(place)
        except CorruptFileError as error:
            assert key.as_posix() in str(error)
            continue
        assert any(f"{key.as_posix()}: missing" in fault for fault in store.verify()), key


def test_another_codec_of_the_same_shape_is_refused(place, x):
    other = taskcodec.fit(x, bits=15).to_bytes()
    (place / "codec.safetensors").write_bytes(other)
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    sign(place, {**content, "codec_sha256": sha256(other)})
    with pytest.raises(TaskcodecError, match=r"codec\.safetensors: not the codec"):
        taskcodec.open(place).features[:]


@pytest.mark.parametrize("rows", [65, 2**23, 2**24, 2**24 + 1, 2**62])
def test_a_chunk_that_claims_too_many_rows_is_refused_before_it_is_decoded(place, codec, rows):
    header = b"".join(_varint(number) for number in (rows, codec.columns))
    block = header + encode_block(np.zeros((0, codec.columns), np.int32), codec.base.model)[2:]
    (place / "codes" / "c" / "0" / "0").write_bytes(block + google_crc32c.value(block).to_bytes(4, "little"))
    with pytest.raises(CorruptFileError, match="codes/c/0/0"):
        taskcodec.open(place).symbols[:]
    with pytest.raises(CorruptFileError):
        zarr.open(place, mode="r")["codes"][:]


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("rows", [0, -1, 2**40])
def test_chunks_of_no_sensible_length_are_refused(tmp_path, codec, rows):
    with pytest.raises(UsageError, match="chunks hold 1 to"):
        StoreWriter.create(tmp_path / "x.tcz", codec, chunk_rows=rows)
    assert not (tmp_path / "x.tcz").exists()


@pytest.mark.parametrize("odd", [*ODD, {"version": 1}, {"version": 1, "tables": "ü"}, {"version": 1, "tables": 5}])
def test_a_strange_zarr_configuration_is_refused(odd):
    with pytest.raises(CorruptFileError):
        AnsCodec.from_dict({"name": "taskcodec.ans", "configuration": odd})


def test_a_newer_zarr_configuration_is_named():
    with pytest.raises(FutureVersionError, match="upgrade"):
        AnsCodec.from_dict({"name": "taskcodec.ans", "configuration": {"version": 3, "tables": ""}})


@pytest.mark.filterwarnings("ignore::taskcodec.errors.UnfinishedWarning")
@pytest.mark.parametrize("call", ["open", "replace"])
def test_a_disk_that_fills_at_any_moment_loses_nothing_committed(tmp_path, codec, x, monkeypatch, call):
    """Fail the first, second, ... write in turn; what can be resumed is, and the symbols come out the same."""
    import builtins
    import os

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
                *(("builtins.open", full) if call == "open" else ("taskcodec.store.backend.os.replace", full))
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

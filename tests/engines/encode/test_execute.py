"""What was decided is done, and nothing else: in stores anywhere, with codecs and backbones by name or themselves."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions, decide
from taskcodec.engines.encode.execute import encode_job, execute
from taskcodec.errors import BackboneError, MismatchError, StorageError, UsageError
from taskcodec.transforms.spec import BackboneSpec
from tests.cli.commands import contents, run
from tests.conditional import conditional
from tests.data.pictures import Eyes, as_bytes, encoded, noise, put

D = 12


def vectors(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, D)).astype("f4")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """x.npy and y.npy, vectors alike; x.codec, fitted to the first; p/, three pictures."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", vectors(300))
    np.save("y.npy", vectors(80, seed=1))
    taskcodec.fit(vectors(300), bits=30).save("x.codec")
    put(tmp_path / "p", {f"{i}.png": as_bytes(noise(i)) for i in range(3)})
    return tmp_path


def decided(source, store, **options):
    found = decide(source, store, EncodeOptions(**options))
    return found.action, found.place, found.stale, found.first_index


def test_each_situation_is_told_apart_and_nothing_is_written(folder):
    encode_job("x.npy", "s.tcz")
    encode_job("x.npy", "z.zip")
    before = contents(folder)
    assert decided("x.npy", "new.tcz") == ("new", "new.tcz", False, 0)
    assert decided("x.npy", "new.zip") == ("new", "new.zip.partial", False, 0)
    assert decided("x.npy", "s.tcz") == ("nothing", "s.tcz", False, 0)
    assert decided("x.npy", "z.zip") == ("nothing", "z.zip", False, 0)
    assert decided("y.npy", "s.tcz", append=True) == ("append", "s.tcz", False, 300)
    assert decided("x.npy", "s.tcz", append=True) == ("nothing", "s.tcz", False, 0)
    assert decided("y.npy", "s.tcz", overwrite=True) == ("new", "s.tcz.partial", False, 0)
    for options, says in (({}, "a store of something else"), ({"append": True, "codec": "lite0"}, "neither the codec")):
        with pytest.raises((StorageError, MismatchError), match=says):
            decided("y.npy", "s.tcz", **options)
    assert contents(folder) == before


def test_a_store_that_another_process_has_written_to_since_is_left_alone(folder):
    encode_job("x.npy", "s.tcz")
    late = decide("y.npy", "s.tcz", EncodeOptions(append=True))
    np.save("z.npy", vectors(50, seed=2))
    encode_job("z.npy", "s.tcz", EncodeOptions(append=True))
    before = contents(folder / "s.tcz")
    with pytest.raises(StorageError, match=r"s\.tcz: another process has written to this store; run the same"):
        execute(late)
    assert contents(folder / "s.tcz") == before
    assert len(encode_job("y.npy", "s.tcz", EncodeOptions(append=True)).store) == 430


def test_a_zarr_store_object_is_written_resumed_and_replaced(folder):
    place = MemoryStore()
    assert len(encode_job("x.npy", place).store) == 300
    again = encode_job("x.npy", place)
    assert "already; nothing was done" in again.notes[0]
    assert again.shift is None
    assert len(encode_job("y.npy", place, EncodeOptions(append=True)).store) == 380
    replaced = encode_job("y.npy", place, EncodeOptions(overwrite=True)).store
    assert len(replaced) == 80
    assert replaced.verify() == []


def test_a_codec_by_name_and_itself_give_the_same_bytes(folder):
    taskcodec.encode("x.npy", "name.tcz", codec="x.codec")
    taskcodec.encode("x.npy", "itself.tcz", codec=taskcodec.load_codec("x.codec"))
    assert contents(folder / "name.tcz") == contents(folder / "itself.tcz")
    with pytest.raises(MismatchError, match="the codec given: neither the codec of the store"):
        taskcodec.encode("y.npy", "name.tcz", codec=taskcodec.fit(vectors(90, seed=3), bits=9), append=True)
    with pytest.raises(UsageError, match="the codec given: a codec without a backbone takes features"):
        taskcodec.encode("p", "p.tcz", codec=taskcodec.load_codec("x.codec"))


def test_a_backbone_of_one_s_own_goes_through_all_runs_of_a_store(folder):
    options = EncodeOptions(backbone=Eyes(), bits=20)
    store = encode_job("p", "p.tcz", options).store
    assert store.codec.backbone == Eyes.spec
    assert "nothing was done" in encode_job("p", "p.tcz", options).notes[0]
    put(folder / "q", {"new.png": as_bytes(noise(7))})
    assert len(encode_job("q", "p.tcz", EncodeOptions(backbone=Eyes(), append=True)).store) == 4
    assert taskcodec.features("p", backbone=Eyes()).shape == (3, 4)
    put(folder / "r", {"other.png": as_bytes(noise(8))})
    others = Eyes()
    others.spec = replace(Eyes.spec, weights_sha256="1" * 64)
    with pytest.raises(BackboneError, match=r"eyes: its weights .* are not those the codec was fitted on"):
        encode_job("r", "p.tcz", EncodeOptions(backbone=others, append=True))
    others.spec = replace(Eyes.spec, name="ears")
    with pytest.raises(MismatchError, match="encoded with the backbone eyes, not with ears"):
        encode_job("q", "p.tcz", EncodeOptions(backbone=others, append=True))
    with pytest.raises(UsageError, match="the codec given: fitted on eyes, not on ears"):
        encode_job("p", "s.tcz", EncodeOptions(codec=store.codec, backbone=others))
    with pytest.raises(UsageError, match=r"eyes: x\.npy holds vectors"):
        encode_job("x.npy", "v.tcz", options)


def test_features_whose_backbone_is_known_have_it_recorded(folder):
    spec = BackboneSpec("lite0", "0" * 64, D)
    source = replace(open_source("x.npy"), backbone=spec)
    assert encode_job(source, "s.tcz").store.codec.backbone == spec
    assert encode_job("x.npy", "t.tcz").store.codec.backbone is None


@pytest.mark.slow
def test_what_is_appended_from_another_folder_is_as_from_the_first(folder, monkeypatch):
    pytest.importorskip("torch")
    put(folder / "q", {"new.png": as_bytes(noise(7))})
    (folder / "deep").mkdir()
    for source, more, options in (("p", "q", ["--codec", "lite0"]), ("p", "q", []), ("x.npy", "y.npy", [])):
        run("encode", source, "here.tcz", *options)
        run("encode", source, "there.tcz", *options)
        run("encode", more, "here.tcz", "--append", *options)
        with monkeypatch.context() as patch:
            patch.chdir(folder / "deep")
            run("encode", f"../{more}", "../there.tcz", "--append", *options)
        assert contents(folder / "here.tcz") == contents(folder / "there.tcz")
        for name in ("here.tcz", "there.tcz"):
            assert taskcodec.open(name).verify() == []
            (folder / name).rename(folder / f"{name}-{source}-{len(options)}")


@pytest.mark.slow
def test_pictures_of_a_bucket_give_the_store_that_those_of_a_folder_give(tmp_path, s3):
    for number in range(70):
        data = as_bytes(noise(number))
        put(tmp_path / "in", {f"{number % 2}/{number:02d}.png": data})
        s3.put(f"in/{number % 2}/{number:02d}.png", data)
    put(tmp_path / "in", {"0/bad.jpg": b"no picture"})
    s3.put("in/0/bad.jpg", b"no picture")
    here, _ = encoded(tmp_path / "in", tmp_path / "x.tcz", chunk_rows=16)
    with s3.counting() as seen:
        there, _ = encoded(s3.url("in"), s3.url("x.tcz"), chunk_rows=16)
    assert sum(kind == "get" and key.startswith("in/") for kind, key in seen.keys_seen) == 71
    assert np.array_equal(there.symbols[:], here.symbols[:])
    assert there.records.to_pylist() == here.records.to_pylist()
    assert there.verify() == []
    with s3.counting() as seen:
        encoded(s3.url("in"), s3.url("x.tcz"), chunk_rows=16)
    assert seen["put"] == 0
    assert seen["list"] <= 3  # of the source, of a store that would replace this one, and of its layers
    s3.put("in/1/69.png", as_bytes(noise(100)))
    with pytest.raises(StorageError, match="contents have changed"):
        encoded(s3.url("in"), s3.url("x.tcz"), chunk_rows=16)


@pytest.mark.slow
def test_an_encode_into_a_bucket_that_is_killed_goes_on(tmp_path, s3):
    """On this machine the next one need not wait for the lock, and writes what one that was never killed writes."""
    x = np.random.default_rng(0).normal(size=(3000, 8)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    s3.put("x.npy", (tmp_path / "x.npy").read_bytes())
    command = [sys.executable, "-m", "taskcodec", "encode", s3.url("x.npy"), s3.url("x.tcz"), "--chunk", "64"]
    writing = subprocess.Popen([*command, "--bits", "20"])
    while not any("/c/20/" in key for key in s3.keys("x.tcz")):
        assert writing.poll() is None
        time.sleep(0.02)
    writing.send_signal(signal.SIGSTOP)  # so that it is not done before the second one looks
    second = subprocess.run([*command, "--bits", "20"], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another process is writing this store" in second.stderr
    writing.kill()
    writing.wait()
    subprocess.run([*command, "--bits", "20"], check=True, capture_output=True)
    encode_job(tmp_path / "x.npy", tmp_path / "x.tcz", EncodeOptions(bits=20, chunk_rows=64))
    found, expected = taskcodec.open(s3.url("x.tcz")), taskcodec.open(tmp_path / "x.tcz")
    assert found.verify() == []
    assert np.array_equal(found.symbols[:], expected.symbols[:])
    assert found.ids.tolist() == expected.ids.tolist()
    assert not any(key.endswith(".lock") for key in s3.keys(""))


def test_effort_buys_bits_with_time(tmp_path):
    """At the same error where no rate is named, else with less of it; what is appended is searched for alike."""
    x = np.random.default_rng(3).normal(size=(1500, 24)).astype("f4")
    stores = {effort: taskcodec.encode(x, tmp_path / f"{effort}.tcz", effort=effort) for effort in (1, 2, 4)}
    bits = {effort: store.info().bits_per_sample for effort, store in stores.items()}
    error = {effort: np.square(store.to_numpy() - x).sum(axis=1).mean() for effort, store in stores.items()}
    assert bits[4] < bits[2] < 0.97 * bits[1]
    assert max(error.values()) < 1.03 * min(error.values())
    assert stores[4].info().codec_bytes < stores[1].info().codec_bytes
    rated = {effort: taskcodec.encode(x, tmp_path / f"r{effort}.tcz", effort=effort, bits=30) for effort in (1, 3)}
    assert all(abs(store.info().bits_per_sample - 30) < 1 for store in rated.values())
    less, more = (np.square(rated[effort].to_numpy() - x).sum() for effort in (3, 1))
    assert less < 0.9 * more
    place, others = stores[4], x[::-1]
    grown = taskcodec.encode(others, tmp_path / "4.tcz", append=True)
    assert np.array_equal(grown.symbols[1500:], place.codec.encode(others))
    assert grown.verify() == []


def test_effort_and_a_codec_that_is_named(tmp_path):
    """Its transform stays, whatever its quantizer was; one without tables to count keeps its own."""
    x = np.random.default_rng(3).normal(size=(900, 24)).astype("f4")
    plain = taskcodec.fit(x, bits=40)
    fewer = taskcodec.encode(x, tmp_path / "a.tcz", codec=plain, effort=3)
    usual = taskcodec.encode(x, tmp_path / "b.tcz", codec=plain)
    assert fewer.info().bits_per_sample < 0.98 * usual.info().bits_per_sample
    assert fewer.codec.base.quantizer.trellis.states == 8
    again = taskcodec.encode(x, tmp_path / "c.tcz", codec=fewer.codec)
    assert again.codec.fingerprint == fewer.codec.fingerprint
    rated = taskcodec.encode(x, tmp_path / "d.tcz", codec=fewer.codec, effort=2, bits=35)
    assert rated.codec.base.quantizer.trellis.states == 4
    assert abs(rated.info().bits_per_sample - 35) < 1
    with pytest.raises(UsageError, match="its rate is set where it is fitted"):
        taskcodec.encode(x, tmp_path / "e.tcz", codec=fewer.codec, bits=35)
    with pytest.raises(UsageError, match="tables follow from other symbols"):
        taskcodec.encode(x, tmp_path / "f.tcz", codec=conditional(plain), effort=2)


@pytest.mark.parametrize(
    ("labels", "differ"),
    [
        (["a", None, "b", "b"], False),
        (["a", None, "b", "a"], True),
        ([None, None, "b", "b"], True),
        (["a", "a", "b", "b"], True),
    ],
)
def test_labels_that_were_changed_since_are_told(tmp_path, labels, differ):
    """Also of samples that could not be coded, and where there is none on either side."""
    x = vectors(4)
    x[3] = np.nan
    np.save(tmp_path / "x.npy", x)
    said = list[bool]()
    for own in (["a", None, "b", "b"], labels):
        rows = "".join(f"{row},{label}\n" for row, label in enumerate(own) if label is not None)
        (tmp_path / "labels.csv").write_text(f"id,label\n{rows}")
        found = run("encode", tmp_path / "x.npy", tmp_path / "s.tcz", "--labels", tmp_path / "labels.csv")
        said.append("the labels in it are others" in found.stderr)
    assert said == [False, differ]

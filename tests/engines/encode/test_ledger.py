"""Appending, replacing and resuming, as a shell sees them."""

import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import taskcodec
from taskcodec.data import open_source
from taskcodec.data.arrays import array_source
from taskcodec.engines.encode.ledger import names_for
from taskcodec.store import SampleRecord, StoreWriter
from tests.cli.commands import contents, refused, run, stopped


def test_append_codes_with_the_stores_own_codec(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    run("encode", inputs / "a.npy", store, "--codec", inputs / "own.codec")
    own = taskcodec.open(store).codec
    assert own.provenance["adapted_from"] == taskcodec.load_codec(inputs / "own.codec").fingerprint
    run("encode", inputs / "b.npy", store, "--append")
    run("encode", inputs / "c.npy", store, "--append", "--codec", inputs / "own.codec")
    opened = taskcodec.open(store)
    assert opened.codec.fingerprint == own.fingerprint
    assert np.array_equal(opened.symbols[4000:4700], own.encode(np.load(inputs / "b.npy")))
    assert np.array_equal(opened.symbols[4700:], own.encode(np.load(inputs / "c.npy")))
    assert opened.verify() == []


def test_append_to_a_store_whose_codec_was_fitted_for_it(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    run("encode", inputs / "a.npy", store, "--bits", "50")
    run("encode", inputs / "b.npy", store, "--append")
    run("encode", inputs / "c.npy", store, "--append", "--codec", store)
    assert len(taskcodec.open(store)) == 4900


@pytest.mark.parametrize(
    ("source", "options", "code", "says"),
    [
        ("b.npy", ["--codec", "{}/other.codec"], 1, ["other.codec", "neither the codec of the store"]),
        ("wide.npy", [], 1, ["wide.npy", "features of 24 numbers", "holds 12"]),
        ("b.npy", ["--bits", "50"], 2, ["--bits", "s.tcz"]),
        ("b.npy", ["--overwrite"], 2, ["--append", "--overwrite"]),
        ("photos", [], 1, ["s.tcz", "no backbone", "not images"]),
    ],
)
def test_append_refuses_what_does_not_belong(inputs, tmp_path, source, options, code, says):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "p.png")
    place = tmp_path if source == "photos" else inputs
    run("encode", inputs / "a.npy", tmp_path / "s.tcz", "--codec", inputs / "own.codec")
    options = [option.replace("{}", str(inputs)) for option in options]
    command = ["encode", place / source, tmp_path / "s.tcz", "--append", *options]
    refused(tmp_path / "s.tcz", *command, code=code, says=says)


def test_append_where_there_is_no_store(inputs, tmp_path):
    refused(tmp_path, "encode", inputs / "b.npy", tmp_path / "s.tcz", "--append", code=1, says=["s.tcz", "no store"])


def test_append_images_with_the_backbone_that_the_store_records(tmp_path):
    """The store's backbone is not the default one, and the command does not name it."""
    models = pytest.importorskip("tests.transforms.tiny_models")
    (tmp_path / "model").mkdir()
    name, _ = models.clip(tmp_path / "model")
    rng = np.random.default_rng(0)
    for folder, count in (("one", 90), ("two", 5)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / folder / f"{i}.png")
    store = tmp_path / "s.tcz"
    run("encode", tmp_path / "one", store, "--backbone", name, "--bits", "60")
    run("encode", tmp_path / "one", store, "--backbone", name, "--bits", "60")  # nothing to do
    refused(
        store, "encode", tmp_path / "two", store, "--append", "--backbone", "lite0", code=1, says=["s.tcz", "lite0"]
    )
    refused(store, "encode", tmp_path / "one", store, "--bits", "60", code=1, says=["s.tcz", "backbone"])
    run("encode", tmp_path / "two", store, "--append")
    opened = taskcodec.open(store)
    assert len(opened) == 95
    assert opened.ids[90:].tolist() == ["0.png#2", "1.png#2", "2.png#2", "3.png#2", "4.png#2"]


def test_ids_are_unique_after_appending(inputs, tmp_path):
    store, rows = tmp_path / "s.tcz", np.load(inputs / "c.npy")

    def parquet(name, ids):
        columns = {"id": ids, "features": rows[: len(ids)].tolist()}
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    run("encode", inputs / "a.npy", store)
    run("encode", inputs / "b.npy", store, "--append")
    note = run("encode", parquet("p.parquet", ["u", "7", "u", None, "u"]), store, "--append").stderr
    assert "3 of its names were in use" in note
    run("encode", parquet("q.parquet", ["u", "v"]), store, "--append")
    opened = taskcodec.open(store)
    assert opened.ids[:4700].tolist() == [str(i) for i in range(4700)]
    assert opened.ids[4700:].tolist() == ["u", "7#2", "u#2", "4703", "u#3", "u#4", "v"]
    assert opened.samples["source_index"].to_pylist() == list(range(4707))


def test_a_source_goes_into_a_store_once(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    run("encode", inputs / "a.npy", store)
    for name in ("b", "c"):
        run("encode", inputs / f"{name}.npy", store, "--append")
    before = contents(store)
    for command in (["a.npy"], ["a.npy", "--append"], ["b.npy", "--append"], ["c.npy", "--append"]):
        found = run("encode", inputs / command[0], store, *command[1:])
        assert "already; nothing was done" in found.stderr
    assert contents(store) == before
    assert len(taskcodec.open(store)) == 4900


def test_a_file_that_differs_in_the_middle_is_another_source(inputs, tmp_path):
    x = np.load(inputs / "b.npy")
    np.save(tmp_path / "x.npy", x)
    x[300:310] += 1
    np.save(tmp_path / "y.npy", x)
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    run("encode", tmp_path / "y.npy", tmp_path / "s.tcz", "--append")
    assert len(taskcodec.open(tmp_path / "s.tcz")) == 1400


def test_a_stopped_append_resumes(inputs, tmp_path):
    def make(store):
        run("encode", inputs / "b.npy", store, "--chunk", "32", "--bits", "50")
        return store

    whole, store = make(tmp_path / "whole.tcz"), make(tmp_path / "s.tcz")
    run("encode", inputs / "a.npy", whole, "--append")
    stopped("encode", inputs / "a.npy", store, "--append", file_bytes=16_000)
    assert taskcodec.open(store).info().state == "writing"
    assert len(taskcodec.open(store)) > 736
    refused(store, "encode", inputs / "c.npy", store, "--append", code=1, says=["s.tcz", "unfinished"])
    refused(
        store, "encode", inputs / "b.npy", store, "--chunk", "32", "--bits", "50", code=1, says=["append", "unfinished"]
    )
    run("encode", inputs / "a.npy", store, "--append")
    assert contents(store) == contents(whole)


def test_resuming_takes_the_codec_of_the_unfinished_store(inputs, tmp_path, monkeypatch):
    store = tmp_path / "s.tcz"
    command = ["--bits", "50", "--chunk", "32"]
    stopped("encode", inputs / "a.npy", store, *command, file_bytes=16_000)
    half = taskcodec.open(store)
    assert 0 < len(half) < 4000
    # A machine that rounds otherwise would fit a codec with another fingerprint: so nothing may be fitted again.
    monkeypatch.setattr("taskcodec.engines.encode.execute.fit_usual", None)  # which would fail
    run("encode", inputs / "a.npy", store, *command)
    opened = taskcodec.open(store)
    assert opened.codec.fingerprint == half.codec.fingerprint
    assert np.array_equal(opened.symbols[:], half.codec.encode(np.load(inputs / "a.npy")))


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("b.npy", ["--bits", "50"], "begun with another source"),
        ("b.npy", ["--bits", "60"], "begun with another source"),
        ("a.npy", ["--bits", "60"], "encoded with 50 bits;"),
        ("a.npy", [], "encoded with 50 bits;"),
        ("a.npy", ["--bits", "50", "--codec", "{}/own.codec"], "encoded with no --codec;"),
        ("a.npy", ["--bits", "60", "--chunk", "64"], "encoded with 50 bits and --chunk 32;"),
    ],
)
def test_another_request_is_no_resume(inputs, tmp_path, source, options, says):
    store = tmp_path / "s.tcz"
    stopped("encode", inputs / "a.npy", store, "--bits", "50", "--chunk", "32", file_bytes=16_000)
    options = [option.replace("{}", str(inputs)) for option in options]
    command = ["encode", inputs / source, store, "--chunk", "32", *options]
    refused(store, *command, code=1, says=["s.tcz", says])


def test_a_folder_that_changed_is_told_how(tmp_path):
    photos, store = tmp_path / "photos", tmp_path / "s.tcz"
    photos.mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(photos / f"{number}.png")
    run("encode", photos, store)
    Image.new("RGB", (40, 40)).save(photos / "new.png")
    refused(store, "encode", photos, store, code=1, says=["since then, 1 new (new.png)", "--overwrite"])
    (photos / "new.png").unlink()
    (photos / "2.png").unlink()
    Image.effect_noise((40, 40), 9).save(photos / "3.png")
    refused(store, "encode", photos, store, code=1, says=["1 gone (2.png), 1 of another size (3.png)"])


@pytest.mark.parametrize("finished", [False, True])
def test_a_folder_of_other_files_of_the_same_names_is_another_source(inputs, tmp_path, finished):
    codec = taskcodec.load_codec(inputs / "own.codec")
    for folder, names in (("a", range(4)), ("b", range(3, 6))):
        (tmp_path / folder).mkdir()
        for number in names:
            side = 40 + number + 9 * (folder == "b")
            Image.new("RGB", (side, side)).save(tmp_path / folder / f"{number}.bmp")
    source = open_source(tmp_path / "a")
    entry = {**source.descriptor(), "codec": None, "named": False, "bits": None, "refit": True, "chunk_rows": 1}
    with StoreWriter.create(tmp_path / "s.tcz", codec, chunk_rows=1, source=entry) as writer:
        records = [SampleRecord(item.id, number, item.size) for number, item in enumerate(source.items)]
        writer.append(np.zeros((4, codec.columns), np.int32), records)
        if finished:
            writer.finish()
    says = (
        "a store of something else lies there"
        if finished
        else (
            f"s.tcz: an unfinished store of another source than {tmp_path / 'b'} lies there (4 samples, such as 0.bmp)"
            ": run the command that it was stopped in again"
        )
    )
    refused(tmp_path / "s.tcz", "encode", tmp_path / "b", tmp_path / "s.tcz", code=1, says=[says])
    (tmp_path / "a" / "0.bmp").unlink()
    says = "it holds" if finished else "begun with this source as it was (4 samples; since then, 1 gone (0.bmp)); undo"
    refused(tmp_path / "s.tcz", "encode", tmp_path / "a", tmp_path / "s.tcz", code=1, says=[says])


def test_another_named_codec_is_no_resume(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    stopped("encode", inputs / "a.npy", store, "--codec", inputs / "own.codec", "--chunk", "32", file_bytes=16_000)
    own, other = (["--codec", inputs / f"{name}.codec"] for name in ("own", "other"))
    for options, says in (([], "a --codec;"), (other, "another --codec;"), ([*own, "--no-refit"], "a refit;")):
        command = ["encode", inputs / "a.npy", store, "--chunk", "32", *options]
        refused(store, *command, code=1, says=["s.tcz", f"encoded with {says}"])
    run("encode", inputs / "a.npy", store, "--codec", inputs / "own.codec", "--chunk", "32")
    assert len(taskcodec.open(store)) == 4000


def test_a_run_killed_at_its_first_file_begins_again(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    store.mkdir()
    (store / ".codec.safetensors.partial").write_bytes(b"half of it")
    run("encode", inputs / "b.npy", store)
    assert taskcodec.open(store).verify() == []
    assert json.loads(run("info", store, "--json").stdout)["samples"] == 700


TAKEN = ["a", "a#2", "a#2#2", "b#7", "1", "8", "8#2", "9#3", "08", "10#x", "-1", "1" * 30, "é", "7#2#2", "a#", "+8"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (None, ["16", "17", "18", "19"]),
        (["a", "b", "b#7", "c"], ["a#3", "b", "b#7#2", "c"]),
        (["a#2", "a", "a#3", "a#3"], ["a#2#3", "a#3", "a#3#2", "a#3#3"]),
        (["8", "8#2", "8#3", "é"], ["8#3", "8#2#2", "8#3#2", "é#2"]),
        (["7", "7#2", "7#2", "+8"], ["7", "7#2", "7#2#3", "+8#2"]),
    ],
)
def test_what_is_appended_gets_names_that_nothing_in_the_store_has(tmp_path, ids, expected):
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("f4")
    taskcodec.encode(x[:16], tmp_path / "s.tcz", ids=TAKEN, bits=8)
    store = taskcodec.encode(x[16:], tmp_path / "s.tcz", ids=ids, append=True)
    assert store.ids.tolist() == [*TAKEN, *expected]


def test_numbers_that_are_names_in_the_store_are_not_given_twice(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("f4")
    taskcodec.encode(x[:4], tmp_path / "s.tcz", ids=["6", "4#2", "6#2", "5x"], bits=8)
    store = taskcodec.encode(x[4:], tmp_path / "s.tcz", append=True)
    assert store.ids[4:].tolist() == ["4", "5", "6#3", "7"]


@pytest.mark.slow
def test_what_is_in_a_store_is_not_held_in_memory_to_append_to_it(tmp_path):
    x = np.random.default_rng(0).normal(size=(100_000, 2)).astype("f4")
    store = taskcodec.encode(x, tmp_path / "s.tcz", ids=[f"folder/{i:08}.jpg" for i in range(100_000)], bits=8)
    more = array_source(x[:3], ["folder/00000007.jpg", "new.jpg", "new.jpg"])
    tracemalloc.start()
    names = names_for(more, 100_000, store)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [names.give(name) for name in more.ids] == ["folder/00000007.jpg#2", "new.jpg", "new.jpg#2"]
    assert peak < 3e6  # 100,000 names take 20 MB

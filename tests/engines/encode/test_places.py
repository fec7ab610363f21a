"""A place has one name however it is typed, and a replace that fails leaves what was there."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import StorageError
from taskcodec.store import StoreWriter
from taskcodec.store.backend import open_blobs
from taskcodec.store.places.remote import RemoteBlobs
from tests.cli.commands import contents, refused, run, stopped


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a.npy of 300 rows and b.npy of 200 in it, and an empty folder `deep`."""
    rng = np.random.default_rng(0)
    for name, rows in (("a", 300), ("b", 200)):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(rows, 8)).astype("f4"))
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


WAYS = ["{}", "{}/", "{}//", "./{}", "deep/../{}", "{}/.", "./deep/.././{}/", "deep/link", "deep/link/", "ABSOLUTE"]


@pytest.mark.parametrize(
    ("name", "way"), [(name, way) for name in ("s.tcz", "s.zip", "s.ZIP") for way in WAYS] + [("s.tcz", "{}/codes/..")]
)
def test_a_store_is_replaced_however_it_is_named(folder, name, way):
    run("encode", "a.npy", name, "--bits", "20")
    (folder / "deep" / "link").symlink_to(folder / name)
    typed = way.replace("ABSOLUTE", str(folder / name)).replace("{}", name)
    before, kind = names(folder), (folder / name).is_file()
    for source, rows in (("b", 200), ("a", 300), ("b", 200)):
        run("encode", f"{source}.npy", typed, "--bits", "20", "--overwrite")
        assert len(taskcodec.open(name)) == len(taskcodec.open(typed)) == rows
        assert (folder / name).is_file() == kind
        assert names(folder) == before
        assert names(folder / "deep") == ["link"]
    assert "sound" in run("verify", typed).stdout


def test_a_link_to_a_zip_file_is_replaced_by_a_zip_file(folder):
    run("encode", "a.npy", "s.zip", "--bits", "20")
    (folder / "link").symlink_to("s.zip")
    run("encode", "b.npy", "link", "--bits", "20", "--overwrite")
    assert (folder / "s.zip").is_file()
    assert len(taskcodec.open("s.zip")) == 200
    assert names(folder) == ["a.npy", "b.npy", "deep", "link", "s.zip"]


@pytest.mark.parametrize("way", [".", "..", "./", "codes/.."])
def test_the_folder_one_is_in_is_a_place(folder, monkeypatch, way):
    run("encode", "a.npy", "s.tcz", "--bits", "20")
    monkeypatch.chdir(folder / "s.tcz" / ("codes" if way == ".." else "."))
    run("encode", folder / "b.npy", way, "--bits", "20", "--overwrite")
    monkeypatch.chdir(folder)
    assert len(taskcodec.open("s.tcz")) == 200
    assert names(folder) == ["a.npy", "b.npy", "deep", "s.tcz"]


def test_the_same_command_resumes_however_the_place_is_named(folder):
    for name in ("s.tcz", "s.zip"):
        run("encode", "a.npy", name, "--bits", "20")
        for way in (f"{name}/", f"./{name}", f"deep/../{name}"):
            assert "nothing was done" in run("encode", "./a.npy", way, "--bits", "20").stderr
    run("encode", "b.npy", "s.tcz/", "--append")
    assert len(taskcodec.open("s.tcz")) == 500
    assert names(folder) == ["a.npy", "b.npy", "deep", "s.tcz", "s.zip"]


def test_a_link_to_nothing_is_a_place_to_write_to(folder):
    (folder / "link").symlink_to("deep/s.tcz")
    run("encode", "a.npy", "link", "--bits", "20")
    assert len(taskcodec.open("deep/s.tcz")) == 300


@pytest.mark.parametrize(
    ("verb", "name"),
    [(("decode", "s.tcz/"), "o.npy"), (("decode", "./s.tcz"), "o.parquet"), (("fit", "a.npy"), "o.codec")],
)
def test_outputs_are_written_however_they_are_named(folder, verb, name):
    run("encode", "a.npy", "s.tcz", "--bits", "20")
    run(*verb, "-o", name)
    expected = (folder / name).read_bytes()
    (folder / f"link{(folder / name).suffix}").symlink_to(name)
    before = names(folder)
    for typed in (f"{name}/", f"deep/../{name}", f"./{name}", f"link{(folder / name).suffix}", str(folder / name)):
        (folder / name).unlink()
        run(*verb, "-o", typed)
        assert (folder / name).read_bytes() == expected
        assert names(folder) == before
    refused(folder, *verb, "-o", f"deep/../s.tcz/{name}", code=2, says=["lies in the store"])


def test_an_output_that_is_a_folder_is_told_before_anything_is_computed(folder, monkeypatch):
    monkeypatch.setattr("taskcodec.api.fit.fit_codec", None)  # which would fail
    for typed in (".", "deep", "deep/", ".."):
        refused(folder, "fit", "a.npy", "-o", typed, code=1, says=["cannot be written (a folder"])


def fail_into(monkeypatch, target):
    """Let a file system refuse to give anything this name, but for what had it before."""
    replace = os.replace

    def refuse(source, to):
        if str(to) == str(target):
            raise OSError(16, "Device or resource busy")
        replace(source, to)

    monkeypatch.setattr("taskcodec.engines.encode.places.os.replace", refuse)


def test_a_replace_that_fails_leaves_the_old_store_where_it_was(folder, monkeypatch):
    run("encode", "a.npy", "s.tcz", "--bits", "20")
    before = contents(folder / "s.tcz")
    with monkeypatch.context() as patch:
        fail_into(patch, folder / "s.tcz")
        found = run("encode", "b.npy", "s.tcz", "--bits", "20", "--overwrite", code=1)
    assert found.stderr.splitlines() == [
        "taskcodec: s.tcz: cannot be replaced (Device or resource busy), and is as it was; "
        "the new store is s.tcz.partial"
    ]
    assert contents(folder / "s.tcz") == before
    assert len(taskcodec.open("s.tcz.partial")) == 200
    run("encode", "b.npy", "s.tcz/", "--bits", "20", "--overwrite")  # nothing is encoded again, and it is swapped
    assert len(taskcodec.open("s.tcz")) == 200
    assert names(folder) == ["a.npy", "b.npy", "deep", "s.tcz"]


def test_a_run_killed_between_the_two_renames_is_gone_on_with(folder):
    run("encode", "a.npy", "s.tcz", "--bits", "20")
    script = """
import os, sys
os.replace = lambda *_: os._exit(9)
import taskcodec.store.places.folder as backend, types
backend.os = types.SimpleNamespace(**{**vars(os), "replace": os.rename})  # what writes the files is not stopped
import taskcodec.atomic as atomic
atomic.os = backend.os
from taskcodec.cli.main import main
main()
"""
    command = ["encode", "b.npy", "s.tcz", "--bits", "20", "--overwrite"]
    killed = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True)
    assert killed.returncode == 9, killed.stderr
    assert names(folder) == ["a.npy", "b.npy", "deep", "s.tcz.partial", "s.tcz.replaced"]
    run(*command)
    assert len(taskcodec.open("s.tcz")) == 200
    assert names(folder) == ["a.npy", "b.npy", "deep", "s.tcz"]


def test_a_zip_file_under_a_url_is_refused_before_anything_is_encoded(folder):
    for place in ("memory://a/s.zip", "s3://a/s.zip"):
        refused(folder, "encode", "a.npy", place, code=2, says=[place, "not to a URL"])


@pytest.mark.parametrize("kind", ["text", "zip", "folder", "store with notes"])
def test_overwrite_replaces_stores_only(inputs, tmp_path, kind):
    import zipfile

    place = tmp_path / "mine.tcz"
    if kind == "text":
        place.write_text("my notes")
    elif kind == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            archive.writestr("a.txt", "mine")
    elif kind == "folder":
        place.mkdir()
        (place / "a.txt").write_text("mine")
    else:
        run("encode", inputs / "b.npy", place)
        (place / "notes.txt").write_text("mine")
    refused(tmp_path, "encode", inputs / "a.npy", place, "--overwrite", code=1, says=["mine.tcz"])


@pytest.mark.parametrize("name", ["s.tcz", "s.zip"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-file.npy"], "no-such-file.npy"),
        (["a.npy", "--codec", "no-such.codec"], "no-such.codec"),
        (["wide.npy", "--codec", "own.codec"], "wide.npy"),
    ],
)
def test_an_overwrite_that_cannot_work_leaves_the_old_store(inputs, tmp_path, name, arguments, says):
    store = tmp_path / name
    run("encode", inputs / "b.npy", store)
    source, *options = [inputs / value if "." in value else value for value in arguments]
    refused(tmp_path, "encode", source, store, *options, "--overwrite", code=1, says=[says])


@pytest.mark.parametrize("name", ["s.tcz", "s.zip"])
def test_overwrite(inputs, tmp_path, name):
    store = tmp_path / name
    for source, options in (("b", []), ("a", []), ("a", ["--bits", "30"])):
        run("encode", inputs / f"{source}.npy", store, *options, "--overwrite")
    opened = taskcodec.open(store)
    assert len(opened) == 4000
    assert opened.info().bits_per_sample == pytest.approx(30, rel=0.05)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_a_kill_left_of_the_replaced_store_is_no_obstacle(inputs, tmp_path):
    store, remains = tmp_path / "s.tcz", tmp_path / "s.tcz.replaced"
    run("encode", inputs / "b.npy", store)
    shutil.copytree(store, remains)
    (remains / "zarr.json").unlink()
    run("encode", inputs / "a.npy", store, "--overwrite")
    assert len(taskcodec.open(store)) == 4000
    assert not remains.exists()
    remains.mkdir()
    (remains / "notes.txt").write_text("mine")
    refused(tmp_path, "encode", inputs / "b.npy", store, "--overwrite", code=1, says=["notes.txt", "move it away"])


def test_overwrite_with_the_codec_of_the_very_store(inputs, tmp_path):
    store = tmp_path / "s.tcz"
    run("encode", inputs / "a.npy", store)
    origin = taskcodec.open(store).codec.fingerprint
    run("encode", inputs / "b.npy", store, "--codec", store, "--overwrite", "--no-refit")
    assert taskcodec.open(store).codec.fingerprint == origin
    assert len(taskcodec.open(store)) == 700


@pytest.mark.slow
def test_a_stopped_overwrite_keeps_the_old_store_and_resumes(inputs, tmp_path):
    store, whole = tmp_path / "s.tcz", tmp_path / "whole.tcz"
    command = ["--bits", "50", "--chunk", "32"]
    run("encode", inputs / "a.npy", whole, *command)
    run("encode", inputs / "b.npy", store)
    before = contents(store)
    stopped("encode", inputs / "a.npy", store, *command, "--overwrite", file_bytes=16_000)
    assert contents(store) == before
    half = taskcodec.open(f"{store}.partial")
    assert 0 < len(half) < 4000
    run("encode", inputs / "a.npy", store, *command, "--overwrite")
    assert contents(store) == contents(whole)
    assert not (tmp_path / "s.tcz.partial").exists()
    # Stopped again, and then another command: what was begun is not mixed into it.
    stopped("encode", inputs / "a.npy", store, *command, "--overwrite", file_bytes=16_000)
    run("encode", inputs / "c.npy", store, "--overwrite")
    assert len(taskcodec.open(store)) == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tcz", "whole.tcz"]


def test_overwrite_where_places_cannot_be_swapped(inputs):
    """In this process: a memory file system is not shared."""
    from taskcodec.engines.encode.decide import EncodeOptions
    from taskcodec.engines.encode.execute import encode_job

    def encode(source, **options):
        return encode_job(inputs / source, "memory://overwrite/s.tcz", EncodeOptions(**options)).store

    encode("a.npy")
    with pytest.raises(taskcodec.TaskcodecError, match="no-such"):
        encode("no-such.npy", overwrite=True)
    with pytest.raises(taskcodec.TaskcodecError, match="features of 24"):
        encode("wide.npy", codec=str(inputs / "own.codec"), overwrite=True)
    assert len(encode("a.npy")) == 4000
    store = encode("b.npy", overwrite=True)
    assert len(store) == 700
    assert store.verify() == []


@pytest.mark.slow
def test_a_store_under_a_url_is_readable_until_the_new_one_is_whole(inputs, url, monkeypatch):
    run("encode", inputs / "a.npy", url, "--bits", "20")
    seen = []
    finish = StoreWriter.finish

    def looked_at(writer):
        found = finish(writer)
        seen.append((len(taskcodec.open(url)), taskcodec.open(url).verify()))
        return found

    monkeypatch.setattr(StoreWriter, "finish", looked_at)
    run("encode", inputs / "b.npy", f"{url}/", "--bits", "30", "--overwrite")
    assert seen == [(4000, [])]
    assert len(taskcodec.open(url)) == 700
    assert taskcodec.open(url).verify() == []
    assert not open_blobs(f"{url}.partial").sizes()
    assert not any("c/3/" in key for key in open_blobs(url).sizes())


@pytest.mark.parametrize("stop", ["copy_from", "put", "delete"])
@pytest.mark.slow
def test_a_switch_that_is_stopped_is_gone_on_with(inputs, url, monkeypatch, stop):
    run("encode", inputs / "a.npy", url, "--bits", "20")
    with monkeypatch.context() as patch:
        calls, call = [], getattr(RemoteBlobs, stop)

        def failing(blobs, *given):
            if blobs.name == url and given[0] != ".lock":
                calls.append(given)
                if stop != "put" or given[0] == "zarr.json":
                    raise StorageError(f"{url}: stopped by the test")
            return call(blobs, *given)

        patch.setattr(RemoteBlobs, stop, failing)
        assert "stopped by the test" in run("encode", inputs / "b.npy", url, "--overwrite", code=1).stderr
    assert len(taskcodec.open(f"{url}.partial")) == 700
    run("encode", inputs / "b.npy", url, "--overwrite")
    assert len(taskcodec.open(url)) == 700
    assert taskcodec.open(url).verify() == []
    assert not open_blobs(f"{url}.partial").sizes()


def test_what_is_no_store_under_a_url_is_not_replaced(inputs, url):
    open_blobs(url).put("notes.txt", b"mine")
    assert "other files lie there" in run("encode", inputs / "b.npy", url, code=1).stderr
    told = run("encode", inputs / "b.npy", url, "--overwrite", code=1).stderr
    assert "notes.txt in it does not belong to a store" in told
    assert open_blobs(url).get("notes.txt") == b"mine"


def test_stores_under_urls_are_appended_to(inputs, url):
    run("encode", inputs / "a.npy", url, "--bits", "20")
    run("encode", inputs / "b.npy", url, "--append")
    run("encode", inputs / "b.npy", url, "--append")  # it is in it already
    store = taskcodec.open(url)
    assert len(store) == 4700
    assert store.verify() == []

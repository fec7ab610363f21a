"""Stores in a bucket: what they ask of it, and what they make of its faults."""

import sys

import numpy as np
import pytest

import taskcodec
from taskcodec.data import open_source
from taskcodec.errors import NetworkError, StorageError, UsageError
from taskcodec.store import StoreWriter
from taskcodec.store.backend import open_blobs
from tests.s3 import FAULTS, Faults
from tests.store.written import read_by_forks, records, write


def test_each_thing_that_is_asked_is_one_request(s3):
    blobs = open_blobs(s3.url("a"))
    for call, kind in (
        (lambda: blobs.put("k/x", b"0123456789"), "put"),
        (lambda: blobs.get("k/x"), "get"),
        (lambda: blobs.get("none"), "get"),
        (lambda: blobs.get_range("k/x", 2, 3), "range"),
        (lambda: blobs.get_range("k/x", -3, 3), "range"),
        (blobs.sizes, "list"),
        (lambda: blobs.delete("k/x"), "delete"),
    ):
        with s3.counting() as seen:
            call()
        assert dict(seen) == {kind: 1}


def test_names_are_taken_as_they_are(s3):
    blobs, names = open_blobs(s3.url("a b")), ["ü/日本.x", "a?versionId=3", "a#b", "100%25", "a+b c", "'\"<&>"]
    for name in names:
        blobs.put(name, name.encode())
    assert {name: blobs.get(name) for name in names} == {name: name.encode() for name in names}
    assert set(blobs.sizes()) == set(names)
    assert set(s3.keys()) == {f"a b/{name}" for name in names}


@pytest.mark.slow
def test_a_listing_takes_a_request_for_each_thousand(s3):
    s3.put_empty(f"many/{number:04d}" for number in range(1500))
    s3.put("many-others/0", b"")
    blobs = open_blobs(s3.url("many"))
    with s3.counting() as seen, s3.failing(Faults(share=0.3, kinds=("slow_down", "torn"), most=3)):
        assert len(blobs.sizes()) == 1500
    assert seen["list"] - 2 <= 3


def test_a_store_is_written_with_a_put_a_chunk_and_few_more(s3, codec, x):
    with s3.counting() as seen:
        write(s3.url("x.tcz"), codec, x)
    assert seen["head"] == seen["other"] == 0
    assert seen["get"] + seen["list"] + seen["delete"] <= 8
    assert not any(key.endswith(".lock") for key in s3.keys(""))


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.slow
def test_what_passes_is_tried_again(s3, codec, x, kind, impatient):
    with s3.failing(Faults(share=0.4, kinds=(kind,), seconds=0.01)) as made:
        store = taskcodec.open(write(s3.url("x.tcz"), codec, x))
        assert np.array_equal(store.symbols[:], codec.encode(x))
        assert store.verify() == []
    assert made.made.total() > 5


@pytest.mark.parametrize("kind", ["slow_down", "error", "reset", "torn"])
def test_what_does_not_pass_is_told_once(s3, codec, x, kind, impatient):
    place = write(s3.url("x.tcz"), codec, x)
    store = taskcodec.open(place)
    fault = r"^s3://.*/codes/c/0/0: cannot be read: .*, tried up to 8 times; "
    failing = s3.failing(Faults(kinds=(kind,), key="codes/c/0"))
    with failing, s3.counting() as seen, pytest.raises(NetworkError, match=fault):
        store.symbols[0]
    assert 9 <= seen["get"] <= 17  # one of them for the codec; what sends them repeats one itself on a lost connection
    assert np.array_equal(store.symbols[:], codec.encode(x))


@pytest.mark.parametrize("kind", ["slow_down", "error", "reset"])
@pytest.mark.slow
def test_a_failed_put_is_told_and_what_was_committed_is_kept(s3, codec, x, kind, impatient):
    place = s3.url("x.tcz")
    StoreWriter.create(place, codec, chunk_rows=128).close()
    with StoreWriter.open(place) as writer:
        writer.append(codec.encode(x[:300]), records(300))
        fault = r"codes/c/3/0: cannot be written \(.*run the same command again"
        failing = s3.failing(Faults(kinds=(kind,), only=("put",), key="codes/c/3"))
        with failing, pytest.raises(StorageError, match=fault):
            writer.append(codec.encode(x[300:600]), records(600)[300:])
    with pytest.warns(taskcodec.errors.UnfinishedWarning):
        store = taskcodec.open(place)
    assert len(store) == 384
    assert np.array_equal(store.symbols[:], codec.encode(x[:384]))


def test_a_put_that_was_done_though_its_answer_was_lost_is_done(s3, codec, x, impatient):
    """The second attempt finds the commit key changed: by itself."""
    with s3.failing(Faults(share=0.5, kinds=("reset",), only=("put",), after=True)) as made:
        store = taskcodec.open(write(s3.url("x.tcz"), codec, x))
    assert made.made.total() > 3
    assert np.array_equal(store.symbols[:], codec.encode(x))


def test_what_is_not_there_or_not_allowed_is_not_tried_again(s3):
    with s3.counting() as seen, pytest.raises(StorageError, match="make the bucket first"):
        open_blobs("s3://there-is-no-such-bucket/a").put("k", b"")
    assert seen["put"] == 1
    with s3.counting() as seen, pytest.raises(StorageError, match="no such bucket; make it first"):
        open_blobs("s3://there-is-no-such-bucket/a").get("k")
    assert seen["get"] == 1


@pytest.mark.parametrize(("url", "says"), [("nosuch://a/b", "Protocol not known: nosuch"), ("gs://a/b", "gcsfs")])
def test_a_protocol_that_cannot_be_spoken_here_is_wrong_usage(url, says, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    for call in (open_blobs, taskcodec.open, lambda place: open_source(f"{place}/x.npy")):
        with pytest.raises(UsageError, match=says):
            call(url)


def test_credentials_that_are_missing_are_named(s3, monkeypatch, impatient):
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(NetworkError, match=r"the credentials are missing or refused .*AWS_ACCESS_KEY_ID"):
            open_blobs(s3.url("a")).get("k")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(UsageError, match=r"run: pip install 'taskcodec\[s3\]'"):
        open_blobs("s3://bucket/x.tcz")


def test_a_store_is_read_by_forked_workers_while_the_parent_reads(s3, codec, x):
    store, expected = taskcodec.open(write(s3.url("x.tcz"), codec, x)), codec.encode(x)
    assert np.array_equal(store.symbols[:], expected)
    read_by_forks(store, expected)


def test_a_name_of_this_machine_may_be_a_url(tmp_path, codec, x):
    write(f"file://{tmp_path}/x.tcz", codec, x)
    assert np.array_equal(taskcodec.open(tmp_path / "x.tcz").symbols[:], codec.encode(x))


def test_a_url_that_names_no_bucket(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2), "f4"))
    for url in ("s3://", "s3:///x.tcz"):
        for call in (
            lambda url=url: taskcodec.open(url),
            lambda url=url: taskcodec.encode(str(tmp_path / "x.npy"), url),
            lambda url=url: taskcodec.encode(url, str(tmp_path / "s.tcz")),
        ):
            with pytest.raises(UsageError, match=rf"^{url}.*: names no bucket; s3://BUCKET/NAME is expected$"):
                call()


def test_a_store_in_a_bucket_that_is_not_there(s3):
    with pytest.raises(StorageError, match=r"^s3://there-is-no/s.tcz: no such bucket; make it first"):
        taskcodec.open("s3://there-is-no/s.tcz")
    with pytest.raises(StorageError, match="no such bucket; make it first"):
        taskcodec.encode(np.zeros((3, 2), "f4"), "s3://there-is-no/s.tcz")


def test_a_service_that_never_answered_is_not_waited_for_as_one_that_did(s3, monkeypatch, impatient):
    monkeypatch.setattr("taskcodec.store.places.clients.FIRST_PATIENCE", -1.0)
    blobs = open_blobs(s3.url("a"))
    with s3.counting() as seen, s3.failing(Faults(kinds=("reset",))), pytest.raises(NetworkError):
        blobs.get("x")
    assert seen.total <= 2  # the library beneath sends one again whose connection broke off
    assert blobs.get("x") is None
    with s3.counting() as seen, s3.failing(Faults(kinds=("reset",))), pytest.raises(NetworkError):
        blobs.get("x")
    assert seen.total >= 8

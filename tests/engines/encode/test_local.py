"""`encode` without a named codec: one is fitted to whatever is there, the same one each time, however it is stopped."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import FEATURE_BATCH
from taskcodec.fitting.closed_form.inputs import LARGEST
from tests.cli.commands import contents, refused, run
from tests.engines.encode.kills import committed, killed_at
from tests.engines.encode.vectors import low_rank


def some(collection, place, count):
    """The first few of the photographs, in a folder of their own."""
    place.mkdir()
    for path in sorted((collection / "photos").iterdir())[:count]:
        shutil.copy(path, place)
    return place


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_vectors_twice(collection, tmp_path, n, zipped):
    source, store = collection / f"v{n}.npy", tmp_path / ("s.zip" if zipped else "s.tcz")
    assert run("encode", source, store).stderr == ""
    opened = taskcodec.open(store)
    assert opened.verify() == []
    assert opened.info().fitted
    x, y = np.load(source), opened.to_numpy()
    assert np.square(x - y).sum() < 0.03 * np.square(x).sum()
    again = tmp_path / f"again-{store.name}"
    run("encode", source, again)
    if zipped:
        assert store.read_bytes() == again.read_bytes()
    else:
        assert contents(store) == contents(again)
    assert "nothing was done" in run("encode", source, store).stderr


@pytest.mark.parametrize(
    ("n", "options"),
    [
        (n, options) if not options or n in (1, 10) else pytest.param(n, options, marks=pytest.mark.slow)
        for options in ((), ("--bits", "60"), ("--quality", "small"), ("--no-fit",))
        for n in (1, 2, 3, 10)
    ],
)
def test_few_photographs_twice(collection, tmp_path, n, options):
    pytest.importorskip("torch")
    photos = some(collection, tmp_path / "photos", n)
    run("features", photos, "-o", tmp_path / "x.npy")
    run("encode", photos, tmp_path / "s.tcz", *options)
    run("encode", photos, tmp_path / "again.tcz", *options)
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "again.tcz")
    opened = taskcodec.open(tmp_path / "s.tcz")
    assert len(opened) == n
    assert opened.verify() == []
    assert opened.info().fitted == ("--no-fit" not in options)
    x, y = np.load(tmp_path / "x.npy"), opened.to_numpy()
    cosines = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosines.min() > (0.5 if "--bits" in options else 0.9)


def test_broken_pictures_among_few(collection, tmp_path):
    pytest.importorskip("torch")
    photos = some(collection, tmp_path / "photos", 2)
    run("encode", photos, tmp_path / "whole.tcz")
    (photos / "empty.png").write_bytes(b"")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    shown = run("encode", photos, tmp_path / "s.tcz").stdout
    assert "2 samples, 2 not coded" in shown
    opened, whole = taskcodec.open(tmp_path / "s.tcz"), taskcodec.open(tmp_path / "whole.tcz")
    assert opened.manifest.fingerprint == whole.manifest.fingerprint
    assert opened.failures["id"].to_pylist() == ["broken.jpg", "empty.png"]
    for path in photos.glob("*.jpg"):
        path.write_bytes(b"\xff\xd8\xff")
    refused(tmp_path, "encode", photos, tmp_path / "none.tcz", code=1, says=["none of its 4 samples", "not an image"])


def test_samples_that_can_be_read_are_found_wherever_they_lie(tmp_path):
    """A codec is fitted to batches spread over the source: here hardly one of those holds anything."""
    x = np.full((40 * FEATURE_BATCH, 4), np.nan, "f4")
    x[5000:6000] = low_rank(1000, 4)
    np.save(tmp_path / "x.npy", x)
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    opened = taskcodec.open(tmp_path / "s.tcz")
    assert len(opened) == 1000
    assert opened.codec.provenance["samples"] == 1000
    assert len(opened.failures) == 40 * FEATURE_BATCH - 1000


def test_one_sample_far_out_spoils_no_other(tmp_path):
    x = low_rank(600)
    x[7] *= 1e9
    np.save(tmp_path / "far.npy", x)
    assert "such as 7" in run("encode", tmp_path / "far.npy", tmp_path / "far.tcz").stderr
    rest = np.delete(np.arange(600), 7)
    error = taskcodec.open(tmp_path / "far.tcz").features[rest] - x[rest]
    assert np.square(error).mean() < 0.03 * x[rest].var()


@pytest.mark.parametrize(
    ("name", "overwrite", "effort"),
    [
        ("s.tcz", False, 1),
        ("s.tcz", True, 1),
        ("s.zip", False, 1),
        ("s.zip", True, 1),
        ("s.tcz", False, 2),
    ],
)
@pytest.mark.slow
def test_killed_at_every_file_and_run_again_gives_the_same_bytes(tmp_path, monkeypatch, name, overwrite, effort):
    np.save(tmp_path / "x.npy", low_rank(700))
    np.save(tmp_path / "old.npy", low_rank(50, seed=1))
    run("encode", tmp_path / "x.npy", tmp_path / f"whole-{name}", "--chunk", "256", "--effort", effort)
    store = tmp_path / "place" / name
    job = (str(tmp_path / "x.npy"), str(store), EncodeOptions(overwrite=overwrite, chunk_rows=256, effort=effort))
    between = 0
    for moment in itertools.count():
        shutil.rmtree(store.parent, ignore_errors=True)
        store.parent.mkdir()
        if overwrite:
            run("encode", tmp_path / "old.npy", store)
        if not killed_at(moment, monkeypatch, *job):
            break
        between += 0 < max(committed(store.parent / part) for part in (name, f"{name}.partial")) < 700
        encode_job(*job)
        assert [path.name for path in store.parent.iterdir()] == [name]
        whole = tmp_path / f"whole-{name}"
        if store.is_file():
            assert store.read_bytes() == whole.read_bytes(), moment
        else:
            assert contents(store) == contents(whole), moment
    assert moment > 12
    assert between > 3, "kills fell between two commits"


@pytest.mark.slow
def test_photographs_killed_and_run_again_give_the_same_bytes(collection, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    photos = some(collection, tmp_path / "photos", 40)
    run("encode", photos, tmp_path / "whole.tcz", "--chunk", "16")
    found = []
    for moment in (0, 1, 3, 6, 9, 12, 14):
        job = (str(photos), str(tmp_path / f"{moment}.tcz"), EncodeOptions(chunk_rows=16))
        assert killed_at(moment, monkeypatch, *job)
        found.append(committed(job[1]))
        encode_job(*job)
        assert contents(tmp_path / f"{moment}.tcz") == contents(tmp_path / "whole.tcz")
    assert set(found) == {0, 16, 32}


@pytest.mark.slow
def test_an_append_killed_at_every_file_and_run_again_gives_the_same_bytes(tmp_path, monkeypatch):
    for name, rows, seed in (("x", 300, 0), ("y", 400, 1)):
        np.save(tmp_path / f"{name}.npy", low_rank(rows, seed=seed))
    run("encode", tmp_path / "x.npy", tmp_path / "begun.tcz", "--chunk", "128")
    shutil.copytree(tmp_path / "begun.tcz", tmp_path / "whole.tcz")
    job = (str(tmp_path / "y.npy"), str(tmp_path / "s.tcz"), EncodeOptions(append=True))
    encode_job(job[0], str(tmp_path / "whole.tcz"), job[2])
    between = 0
    for moment in itertools.count():
        shutil.rmtree(tmp_path / "s.tcz", ignore_errors=True)
        shutil.copytree(tmp_path / "begun.tcz", tmp_path / "s.tcz")
        if not killed_at(moment, monkeypatch, *job):
            break
        between += 300 < committed(tmp_path / "s.tcz") < 700
        encode_job(*job)
        assert contents(tmp_path / "s.tcz") == contents(tmp_path / "whole.tcz"), moment
    assert moment > 12
    assert between > 3, "kills fell between two commits"


KILLS = int(os.environ.get("TASKCODEC_KILLS", "5"))


def command(source, store):
    return [sys.executable, "-m", "taskcodec.cli.main", "encode", str(source), str(store), "--chunk", "256", "--json"]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(60_000, 8)) @ rng.normal(size=(8, 48)) + rng.normal(size=(60_000, 48))).astype("f4")
    features[12_345] = np.nan
    np.save(folder / "x.npy", features)
    started = time.monotonic()
    subprocess.run(command(folder / "x.npy", folder / "whole.tcz"), check=True, capture_output=True)
    return folder, time.monotonic() - started


@pytest.mark.slow
def test_kill_at_random_moments_then_resume(job):
    folder, seconds = job
    whole, between = contents(folder / "whole.tcz"), 0
    rows, generator = len(taskcodec.open(folder / "whole.tcz")), random.Random(0)
    for trial in range(KILLS):
        store = folder / f"killed-{trial}.tcz"
        stopped = subprocess.Popen(
            command(folder / "x.npy", store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(generator.uniform(0.2, 1.0) * seconds)
        stopped.send_signal(signal.SIGKILL)
        stopped.wait()
        between += 0 < committed(store) < rows
        again = subprocess.run(command(folder / "x.npy", store), capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert contents(store) == whole
    assert between > 0, "no kill fell between two commits: the source is too small for this machine"


def test_rows_of_no_measurements_are_accounted_for(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    x[7, 3], x[123] = 2 * LARGEST, np.nan
    np.save(tmp_path / "x.npy", x)
    run("encode", tmp_path / "x.npy", tmp_path / "x.tcz")
    store = taskcodec.open(tmp_path / "x.tcz")
    assert len(store) == 198
    assert [(row["id"], row["status"]) for row in store.failures.to_pylist()] == [
        ("7", f"a feature beyond {LARGEST:g} in magnitude"),
        ("123", "NaN or infinity (as float32) among its features"),
    ]

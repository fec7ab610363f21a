"""A store that a cluster wrote is byte for byte the one that this process writes alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.ray.engine import encode_on_ray
from taskcodec.errors import BackboneError, ProcessError, SourceError
from taskcodec.store.backend import open_blobs
from tests import ROOT
from tests.cli.commands import contents, run
from tests.data.pictures import Eyes
from tests.engines.encode.kills import committed, killed_at
from tests.engines.encode.vectors import low_rank

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("two_workers")]  # of a real cluster: it takes a while to start
RAY = ("--engine", "ray", "--workers", "2")


def vectors(place, count=5000, seed=0):
    x = low_rank(count, seed=seed)
    x[[0, 700, 701, count - 1]] = np.nan
    x[5] *= 1e9
    np.save(place, x)
    return place


def both(folder, source, *options):
    """The same command with either engine, the store written to `folder`: what it shows, and the stores."""
    alone, cluster = folder / "alone" / "s.tcz", folder / "cluster" / "s.tcz"
    shown = [run("encode", source, alone, "--json", *options), run("encode", source, cluster, "--json", *options, *RAY)]
    said = [found.stderr.replace("alone/", "cluster/") for found in shown]
    assert said[0] == said[1]
    assert shown[0].stdout == shown[1].stdout
    assert contents(alone.parent) == contents(cluster.parent)
    return taskcodec.open(cluster)


def test_vectors(tmp_path):
    store = both(tmp_path, vectors(tmp_path / "x.npy"), "--chunk", "512", "--quality", "small", "--effort", "3")
    assert len(store) == 4996
    assert store.verify() == []


def test_an_append_to_vectors(tmp_path):
    both(tmp_path, vectors(tmp_path / "x.npy"), "--chunk", "512")
    store = both(tmp_path, vectors(tmp_path / "y.npy", 2000, seed=1), "--append")
    assert len(store) == 4996 + 1996
    assert store.verify() == []


def test_pictures_and_originals_beside_the_features(tmp_path, photos):
    store = both(tmp_path, photos, "--chunk", "16", "--layers", "picture:700,original")
    assert store.layers == ("features", "picture", "original")
    assert store.verify() == []


def test_photographs_with_broken_ones_among_them(tmp_path, photos):
    store = both(tmp_path, photos, "--chunk", "16")
    assert len(store) == 60
    assert set(store.labels) == {"flowers", "places"}
    assert store.failures["id"].to_pylist() == ["flowers/00.jpg", "flowers/33x.jpg", "places/57x.png", "zz.jpg"]


def test_arrays_in_memory_with_names_and_labels(tmp_path):
    x = low_rank(3000)
    named = {"ids": [f"v{i % 2900}" for i in range(3000)], "labels": [i % 3 for i in range(3000)]}
    options = {"bits": 60, "chunk_rows": 700, **named}
    seen = list[tuple[int, int]]()
    with pytest.warns(taskcodec.errors.EncodeWarning, match="names were in use"):
        taskcodec.encode(x, tmp_path / "alone.tcz", **options)
    with pytest.warns(taskcodec.errors.EncodeWarning, match="names were in use"):
        taskcodec.encode(
            x, tmp_path / "c.tcz", engine="ray", progress=lambda done, total: seen.append((done, total)), **options
        )
    assert contents(tmp_path / "alone.tcz") == contents(tmp_path / "c.tcz")
    assert seen[-1] == (3000, 3000)


def test_either_engine_goes_on_where_the_other_was_stopped(tmp_path, monkeypatch):
    source, options = str(vectors(tmp_path / "x.npy")), EncodeOptions(chunk_rows=512)
    encode_job(source, str(tmp_path / "whole.tcz"), options)
    assert killed_at(14, monkeypatch, source, str(tmp_path / "s.tcz"), options)
    assert 0 < committed(tmp_path / "s.tcz") < 4996
    encode_on_ray(source, str(tmp_path / "s.tcz"), options, workers=2)
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "whole.tcz")

    class Stopped(BaseException):
        pass

    def stop(done, total):
        if committed(tmp_path / "t.tcz") > 1000:
            raise Stopped

    with pytest.raises(Stopped):
        encode_on_ray(source, str(tmp_path / "t.tcz"), options, stop, workers=2)
    assert 1000 < committed(tmp_path / "t.tcz") < 4996
    encode_job(source, str(tmp_path / "t.tcz"), options)
    assert contents(tmp_path / "t.tcz") == contents(tmp_path / "whole.tcz")


class Deadly(Eyes):
    """A backbone that kills its process on the pictures of one batch, the first time they come."""

    def __init__(self, flag, times=1):
        self.flag, self.times = flag, times

    def __call__(self, batch):
        before = len(os.listdir(self.flag))
        if before < self.times:
            open(f"{self.flag}/{before}", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


def test_a_worker_that_is_killed_changes_nothing(tmp_path, photos):
    codec = taskcodec.fit(np.random.default_rng(0).uniform(0, 255, (300, 4)).astype("f4"), bits=20)
    options = {"codec": codec, "chunk_rows": 16, "refit": False}
    encode_job(str(photos), str(tmp_path / "alone.tcz"), EncodeOptions(backbone=Eyes(), **options))
    flag = tmp_path / "flag"
    flag.mkdir()
    encode_on_ray(str(photos), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Deadly(str(flag)), **options), workers=2)
    assert len(list(flag.iterdir())) == 1
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "alone.tcz")


def test_a_picture_that_kills_whoever_reads_it_ends_the_run(tmp_path, photos):
    codec = taskcodec.fit(np.random.default_rng(0).uniform(0, 255, (300, 4)).astype("f4"), bits=20)
    flag = tmp_path / "flag"
    flag.mkdir()
    options = EncodeOptions(codec=codec, backbone=Deadly(str(flag), times=99), refit=False)
    with pytest.raises(ProcessError, match="run the same command again") as raised:
        encode_on_ray(str(photos), str(tmp_path / "s.tcz"), options, workers=1)
    assert "\n" not in str(raised.value)
    assert len(list(flag.iterdir())) == 4


class Counting(Eyes):
    """Says in a file how many pictures it looked at."""

    def __init__(self, place):
        self.place = place

    def __call__(self, batch):
        with open(self.place, "a", encoding="ascii") as file:
            print(len(batch), file=file)
        return super().__call__(batch)


def test_pictures_that_were_seen_for_the_fit_are_not_read_again(tmp_path, photos):
    count = tmp_path / "seen.txt"
    encode_job(str(photos), str(tmp_path / "alone.tcz"), EncodeOptions(backbone=Eyes()))
    encode_on_ray(str(photos), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Counting(str(count))), workers=2)
    assert sum(map(int, count.read_text(encoding="ascii").split())) == 60
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "alone.tcz")


class Blind(Eyes):
    def __call__(self, batch):
        raise BackboneError("blind: sees nothing")


def test_what_a_worker_says_comes_through_as_one_line(tmp_path, photos):
    codec = taskcodec.fit(np.random.default_rng(0).uniform(0, 255, (300, 4)).astype("f4"), bits=20)
    options = EncodeOptions(codec=codec, backbone=Blind(), refit=False)
    with pytest.raises(BackboneError, match=r"^blind: sees nothing$"):
        encode_on_ray(str(photos), str(tmp_path / "s.tcz"), options, workers=1)


def test_nothing_that_can_be_read(tmp_path):
    np.save(tmp_path / "x.npy", np.full((50, 4), np.nan, "f4"))
    with pytest.raises(SourceError, match="none of its 50 samples"):
        encode_on_ray(str(tmp_path / "x.npy"), str(tmp_path / "s.tcz"), EncodeOptions(), workers=1)


def test_a_command_that_is_killed_goes_on(tmp_path):
    """With a cluster of its own, which goes with it; and nothing but the store's JSON is printed."""
    source = vectors(tmp_path / "x.npy", 60_000)
    encode_job(str(source), str(tmp_path / "whole.tcz"), EncodeOptions(chunk_rows=256))
    command = [sys.executable, "-m", "taskcodec", "encode", str(source), str(tmp_path / "s.tcz"), "--chunk", "256"]
    command += ["--json", *RAY]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    while killed.poll() is None and not committed(tmp_path / "s.tcz"):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < committed(tmp_path / "s.tcz") < 59_996
    again = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["samples"] == 59_996
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "whole.tcz")


def test_a_command_that_is_told_to_end_says_how_to_go_on(tmp_path):
    """As schedulers do, by SIGTERM; Ray's own handler prints a native stack."""
    command = [sys.executable, "-m", "taskcodec", "encode", str(vectors(tmp_path / "x.npy", 200_000))]
    command += [str(tmp_path / "s.tcz"), "--chunk", "256", *RAY]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    ended = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    while ended.poll() is None and not committed(tmp_path / "s.tcz"):
        time.sleep(0.05)
    ended.terminate()
    assert ended.communicate() == ("", "taskcodec: terminated; run the same command again to go on\n")
    assert ended.returncode == 143
    assert not (tmp_path / "s.tcz" / ".lock").exists()


def test_a_machine_that_is_lost_changes_nothing(tmp_path):
    source = vectors(tmp_path / "x.npy", 30_000)
    taskcodec.fit(low_rank(3000), bits=60).save(f"{source}.codec")
    options = EncodeOptions(codec=f"{source}.codec", refit=False, chunk_rows=256)
    encode_job(str(source), str(tmp_path / "alone.tcz"), options)
    script = [sys.executable, "-m", "tests.engines.ray.lose_a_machine", str(source), str(tmp_path / "s.tcz")]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "machines left: 1\n" in done.stdout
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "alone.tcz")


def test_the_commands_of_the_page_run_against_buckets(tmp_path, photos, s3):
    """As they stand on docs/cluster.md, but for the bucket, and for the cluster, which is one that they start."""
    later = [path for path in sorted(photos.rglob("*")) if path.parent.name == "places"]
    for path in filter(Path.is_file, photos.rglob("*")):
        s3.put(f"photos/{path.relative_to(photos)}", path.read_bytes())
    for path in later:
        s3.put(f"more/later/{path.name}", path.read_bytes())
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("taskcodec ")]
    assert [line.split()[1] for line in lines] == ["encode", "fit", "verify", "info", "encode"]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    for line in lines:
        words = line.replace("s3://stores", s3.url()).replace("s3://pictures", s3.url()).replace("ray:auto", "ray")
        command = [sys.executable, "-m", *words.split()]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    run("encode", s3.url("photos"), tmp_path / "alone.tcz")
    run("encode", s3.url("more"), tmp_path / "alone.tcz", "--append")
    blobs = open_blobs(s3.url("photos.tcz"))
    alone = {path.as_posix(): data for path, data in contents(tmp_path / "alone.tcz").items()}
    assert {key: blobs.get(key) for key in blobs.sizes()} == alone

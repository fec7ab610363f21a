"""An encode that is killed, and run again, gives the bytes of one that was never stopped."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import taskcodec
from tests.cli.test_encode import contents, run

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
    whole = contents(folder / "whole.tcz")
    generator = random.Random(0)
    for trial in range(KILLS):
        store = folder / f"killed-{trial}.tcz"
        stopped = subprocess.Popen(
            command(folder / "x.npy", store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(generator.uniform(0.2, 1.0) * seconds)
        stopped.send_signal(signal.SIGKILL)
        stopped.wait()
        again = subprocess.run(command(folder / "x.npy", store), capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert contents(store) == whole


def test_rows_of_no_measurements_are_accounted_for(tmp_path):
    x = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
    x[7, 3], x[123] = 1e20, np.nan
    np.save(tmp_path / "x.npy", x)
    run("encode", tmp_path / "x.npy", tmp_path / "x.tcz")
    store = taskcodec.open(tmp_path / "x.tcz")
    assert len(store) == 198
    assert [(row["id"], row["status"]) for row in store.failures.to_pylist()] == [
        ("7", "a feature beyond 1e+15 in magnitude"),
        ("123", "NaN or infinity (as float32) among its features"),
    ]

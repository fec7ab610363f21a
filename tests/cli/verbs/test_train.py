"""`taskcodec train` as a user runs it."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

import taskcodec
from taskcodec.data.toy import banana_source
from tests.cli.commands import run

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)
CONFIG = """
data: {source: points.npy}
augmentations: rotations
jitter: 0.3
model: {objective: BINCE, columns: 1, analysis: {name: mlp, hidden: [16]}}
beta: [0.1, 0.4]
training: {steps: 20, batch: 64, checkpoint_every: 10, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("train")
    np.save(root / "points.npy", banana_source().sample(2000, 0).astype("f4"))
    (root / "c.yaml").write_text(CONFIG)
    return root


def test_a_training_stops_goes_on_and_gives_a_codec_that_encodes(folder, monkeypatch):
    monkeypatch.chdir(folder)
    command = ("train", "c.yaml", "--beta", "0.1", "-o", "one.codec")
    stopped = run(*command, "--minutes", "0", code=75)
    assert "one.codec: beta 0.1, stopped after 10 of 20 steps: --resume goes on" in stopped.stdout
    assert "go on (--resume)" in run(*command, code=2).stderr
    points = json.loads(run(*command, "--resume", "--json").stdout)
    assert [(point["codec"], point["step"]) for point in points] == [("one.codec", 20)]
    run("encode", "points.npy", "one.tcz", "--codec", "one.codec")
    assert taskcodec.open("one.tcz").features[:].shape == (2000, 1)


@pytest.mark.slow
def test_a_sweep_stops_goes_on_and_gives_codecs_that_encode(folder, monkeypatch):
    monkeypatch.chdir(folder)
    command = ("train", "c.yaml", "-o", "my.codec")
    stopped = run(*command, "--minutes", "0", code=75)  # there is no codec yet, and what follows would want one
    assert "my-beta0.1.codec: beta 0.1, stopped after 10 of 20 steps: --resume goes on" in stopped.stdout
    assert "go on (--resume)" in run(*command, code=2).stderr
    points = json.loads(run(*command, "--resume", "--jobs", "2", "--json").stdout)
    assert [(point["beta"], point["step"]) for point in points] == [(0.1, 20), (0.4, 20)]
    codec = taskcodec.load_codec(folder / points[0]["codec"])
    assert (codec.fingerprint, codec.inputs) == (points[0]["fingerprint"], 2)
    run("encode", "points.npy", "points.tcz", "--codec", points[0]["codec"])
    assert taskcodec.open(folder / "points.tcz").features[:].shape == (2000, 1)
    assert (folder / "my-beta0.1.codec.training" / "metrics.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_that_is_told_to_stop_says_so(folder, tmp_path, number, code):
    text = CONFIG.replace("[0.1, 0.4]", "0.1").replace("steps: 20", "steps: 100000")
    (tmp_path / "long.yaml").write_text(text.replace("points.npy", str(folder / "points.npy")))
    command = [sys.executable, "-m", "taskcodec", "train", "long.yaml", "-o", "long.codec"]
    # Whoever runs these tests in the background has them ignore Ctrl-C, and a child would inherit that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as running:
        checkpoint = tmp_path / "long.codec.training" / "last.ckpt"
        while not checkpoint.exists() and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(number)
        try:
            told = running.communicate(timeout=120)[1]
        finally:
            running.kill()
    assert running.returncode == code
    assert told.endswith("; run the same command with --resume to go on\n"), told
    assert not (tmp_path / "long.codec").exists()


def test_a_wrong_key_is_one_line(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "bad.yaml").write_text(CONFIG.replace("steps", "stepz"))
    found = run("train", "bad.yaml", "-o", "bad.codec", code=2)
    assert found.stdout == ""
    assert found.stderr == "taskcodec: bad.yaml: training.stepz: no such key; did you mean steps?\n"

"""`taskcodec train` with two processes: they decide as one, and what ends one of them ends both."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from taskcodec.data.toy import banana_source
from taskcodec.engines.train.config import read_config
from taskcodec.errors import UsageError

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)
CONFIG = """
data: {source: points.npy}
augmentations: rotations
model: {objective: BINCE, columns: 1, analysis: {name: mlp, hidden: [16]}}
beta: 0.1
training: {steps: 40, batch: 64, checkpoint_every: 5, accelerator: cpu, devices: 2, strategy: ddp}
"""
TWO_CLOCKS = """
import os
from pathlib import Path
import numpy as np, torch
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.gradient.training import TrainingSet, Work, train
mlp = NetworkChoice("mlp", {"hidden": [8]})
schedule = Schedule(20, 64, checkpoint_every=5, accelerator="cpu", devices=2)
late = {"0": 1e6, "1": 0.0}[os.environ.get("LOCAL_RANK", "0")]
x = torch.from_numpy(np.load("points.npy"))
trained = train(TrainingSet(x), Recipe("VC", 0.1, 1, mlp, mlp), schedule, Work(Path("work"), seconds=late))
print(trained.step, trained.codec is not None, flush=True)
"""


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "points.npy", banana_source().sample(2000, 0).astype("f4"))
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def run(folder, *arguments):
    command = [sys.executable, "-m", "taskcodec", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)


@pytest.mark.slow
def test_they_stop_on_the_clock_and_go_on(folder):
    stopped = run(folder, "c.yaml", "-o", "x.codec", "--minutes", "0.001")
    assert (stopped.returncode, stopped.stderr) == (75, "")
    assert stopped.stdout == "x.codec: beta 0.1, stopped after 5 of 40 steps: --resume goes on\n"
    assert not (folder / "x.codec").exists()
    done = run(folder, "c.yaml", "-o", "x.codec", "--resume", "--minutes", "10")
    assert (done.returncode, done.stderr) == (0, "")
    assert taskcodec.load_codec(folder / "x.codec").provenance["schedule"]["devices"] == 2


@pytest.mark.slow
def test_the_clock_of_the_first_one_decides(folder):
    """The second one's has run out when it starts: alone it stopped, and the first one died waiting for it."""
    (folder / "script.py").write_text(TWO_CLOCKS)
    command = [sys.executable, "script.py"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=120)
    assert (found.returncode, found.stderr) == (0, "")
    assert sorted(found.stdout.splitlines()) == ["20 False", "20 True"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_where_one_is_lost_the_command_says_so_in_one_line(folder, number):
    (folder / "c.yaml").write_text(CONFIG.replace("steps: 40", "steps: 100000"))
    command = [sys.executable, "-m", "taskcodec", "train", "c.yaml", "-o", "x.codec"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as first:
        while not (folder / "x.codec.training" / "last.ckpt").exists() and first.poll() is None:
            time.sleep(0.05)
        children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
        if not children.exists():
            first.kill()
            pytest.skip("this system does not list the children of a process")
        os.kill(int(children.read_text().split()[0]), number)
        try:
            told = first.communicate(timeout=60)[1]
        finally:
            first.kill()
    assert first.returncode == 1
    assert told.startswith("taskcodec: another process of this training ended"), told
    assert told.endswith("; the last checkpoint stays, and --resume goes on from it\n")
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_loss_that_one_of_them_finds_not_finite_stops_both(folder):
    points = np.load(folder / "points.npy")
    points[1234] = 1e30
    np.save(folder / "points.npy", points)
    network = "{name: mlp, hidden: [8]}"
    config = CONFIG.replace("BINCE", f"VC, synthesis: {network}").replace("augmentations: rotations\n", "")
    (folder / "c.yaml").write_text(config)
    found = run(folder, "c.yaml", "-o", "x.codec")
    assert found.returncode == 2
    assert found.stderr.startswith("taskcodec: c.yaml: diverged: the loss is inf at step ")
    assert found.stderr.count("\n") == 1


def test_several_devices_leave_no_room_for_jobs(folder, monkeypatch):
    from taskcodec.engines.train.job import TrainOptions, train_all

    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match="--jobs 2: a training on 2 devices runs alone"):
        train_all(read_config("c.yaml", betas=[0.1, 0.2]), folder / "x.codec", TrainOptions(jobs=2))

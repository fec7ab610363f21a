"""`taskcodec train`: what lies at the output is looked at before anything is trained."""

import fcntl
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from taskcodec.data.toy import banana_source
from taskcodec.engines.train.config import read_config
from taskcodec.errors import StorageError, TaskcodecError, UsageError

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)
from taskcodec.engines.train.job import TrainOptions, train_all

CONFIG = """
data: {source: points.npy}
model: {objective: BINCE, columns: 1, analysis: {name: mlp, hidden: [8]}}
beta: 0.1
training: {steps: 4, batch: 64, checkpoint_every: 2, accelerator: cpu}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("points.npy", banana_source().sample(500, 0).astype("f4"))
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def refused(folder, output, **options):
    """The message of a refusal, which leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(TaskcodecError) as found:
        train_all(read_config("c.yaml"), folder / output, TrainOptions(**options))
    assert sorted(folder.rglob("*")) == before
    assert isinstance(found.value, StorageError | UsageError)
    return str(found.value)


def test_nothing_that_lies_there_is_replaced_unasked(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "folder").mkdir()
    assert "is the source itself" in refused(folder, "points.npy", overwrite=True)
    assert "exists and is not a codec" in refused(folder, "notes.txt", overwrite=True)
    assert "a folder or a device" in refused(folder, "folder")
    assert "there is no folder" in refused(folder, "none/x.codec")
    assert "give one of them" in refused(folder, "x.codec", resume=True, overwrite=True)


def test_a_finished_codec_is_replaced_only_where_that_is_said(folder):
    output = folder / "x.codec"
    first = train_all(read_config("c.yaml"), output)[0]
    assert "go on (--resume), begin anew (--overwrite)" in refused(folder, "x.codec")
    assert train_all(read_config("c.yaml"), output, TrainOptions(resume=True))[0] == first
    again = train_all(read_config("c.yaml", seed=5), output, TrainOptions(overwrite=True))[0]
    assert again.fingerprint != first.fingerprint
    for path in (folder / "x.codec.training").iterdir():
        path.unlink()
    (folder / "x.codec.training").rmdir()
    assert "exists; replace it (--overwrite)" in refused(folder, "x.codec", resume=True)


def test_a_folder_without_a_checkpoint_is_no_training_that_was_begun(folder):
    (folder / "x.codec.training").mkdir()
    assert train_all(read_config("c.yaml"), folder / "x.codec")[0].step == 4


def test_two_trainings_of_one_codec_at_once_are_refused(folder):
    (folder / "x.codec.training").mkdir()
    with open(folder / "x.codec.training" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process trains this codec" in refused(folder, "x.codec")


def test_minutes_below_none_are_refused(folder):
    command = [sys.executable, "-m", "taskcodec.cli.main", "train", "c.yaml", "-o", "x.codec", "--minutes", "-1"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (2, "taskcodec: --minutes must be at least 0, found -1\n")

"""Interrupted, and read by nobody: what a shell sees of the command's own process."""

import os
import signal
import subprocess
import sys

import pytest

from taskcodec.cli.main import VERBS

VERB_NAMES = [verb.__name__ for verb in VERBS.values()]


def test_interrupted(place, tmp_path):
    os.mkfifo(tmp_path / "slow.csv")  # the command waits for a writer
    command = [sys.executable, "-m", "taskcodec.cli.main", "encode", place / "x.npy", tmp_path / "y.tcz"]
    running = subprocess.Popen(
        [*command, "--labels", tmp_path / "slow.csv"],
        stderr=subprocess.PIPE,
        text=True,
        # What runs the tests in the background may ignore the signal, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    writer = os.open(tmp_path / "slow.csv", os.O_WRONLY)  # returns when the command has come to read
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    os.close(writer)
    assert running.returncode == 130
    assert said.strip().splitlines() == ["taskcodec: interrupted; run the same command again to go on"]


def test_interrupted_while_the_libraries_load(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    found = subprocess.run(
        [sys.executable, "-m", "taskcodec", "--help"], env=environment, capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (130, "taskcodec: interrupted\n")


SLOW = {
    *("torch", "torchvision", "lightning", "kornia", "sklearn", "scipy", "pandas", "matplotlib", "PIL", "onnxruntime"),
    *(
        "zarr",
        "numcodecs",
        "fsspec",
        "rich",
        "pyarrow.dataset",
        "taskcodec.data",
        "taskcodec.engines",
        "taskcodec.fitting",
    ),
}
"""What takes long to import, and is of no use to who only asks."""
ARRAYS = {"numpy", "pyarrow", "taskcodec.codec", "taskcodec.store"}


def loaded(*arguments):
    """The modules that a command has loaded when it ends."""
    script = f"""
import sys
sys.argv = ["taskcodec", *{list(map(str, arguments))!r}]
from taskcodec.cli.entry import run
try:
    run()
except SystemExit as ended:
    assert not ended.code
print(*sys.modules, file=sys.stderr)
"""
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr.split()
    )


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), *((verb, "--help") for verb in VERB_NAMES)])
def test_help_loads_no_library(arguments):
    assert not loaded(*arguments) & (SLOW | ARRAYS)


def test_info_loads_only_what_reads_a_manifest_and_its_codec(place):
    for options in ((), ("--json",), ("--failures",)):
        assert not loaded("info", place / "x.tcz", *options) & SLOW
    assert not loaded("info", "lite0") & SLOW

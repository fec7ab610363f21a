"""Interrupted, and read by nobody: what a shell sees of the command's own process."""

import os
import signal
import subprocess
import sys


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

"""What is printed, and what happens where it cannot be."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.cli.commands import run


def test_standard_output_that_is_full(place):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "taskcodec.cli.main", "info", place / "x.tcz"]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert found.returncode == 1
    assert found.stderr.strip().splitlines() == [
        "taskcodec: standard output: cannot be written (No space left on device)"
    ]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_went_away(place, options):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "taskcodec.cli.main", "info", place / "x.tcz", *options]
    found = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (found.returncode, found.stderr) == (141, "")


def test_names_do_not_drive_the_terminal(place, tmp_path):
    (tmp_path / "im").mkdir()
    (tmp_path / "im" / "a\x1b[31m\nb.jpg").write_bytes(b"")
    Image.new("RGB", (40, 40)).save(tmp_path / "im" / "ok.png")
    run("encode", tmp_path / "im", tmp_path / "im.tcz")
    found = run("info", tmp_path / "im.tcz", "--failures")
    assert r"not coded: a\x1b[31m\nb.jpg: empty file" in found.stdout.splitlines()

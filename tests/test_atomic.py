"""A disk that fills: one line, nothing half-written under the final name, and with room the same command goes on."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from tests.cli.commands import contents, run, stopped


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", (rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 16))).astype("f4"))
    run("encode", folder / "x.npy", folder / "x.tcz", "--chunk", "32", "--bits", "40")
    run("encode", folder / "x.npy", folder / "usual.tcz", "--chunk", "32")
    return folder


@pytest.mark.parametrize(("options", "whole"), [((), "usual.tcz"), (("--bits", "40"), "x.tcz")])
def test_encode(inputs, tmp_path, options, whole):
    store = tmp_path / "s.tcz"
    command = ["encode", inputs / "x.npy", store, "--chunk", "32", *options]
    line = stopped(*command, file_bytes=16_000)
    assert str(store) in line
    assert "run the same command again" in line
    half = taskcodec.open(store)
    assert 0 < len(half) < 4000
    assert np.array_equal(half.symbols[:], taskcodec.open(inputs / whole).symbols[: len(half)])
    run(*command)
    assert contents(store) == contents(inputs / whole)


@pytest.mark.slow
def test_encode_to_a_zip_file(inputs, tmp_path):
    command = ["encode", inputs / "x.npy", tmp_path / "s.zip", "--chunk", "32", "--bits", "40"]
    line = stopped(*command, file_bytes=40_000)  # enough for every file of the store, not for all of them in one
    assert "s.zip" in line
    assert [path.name for path in tmp_path.iterdir()] == ["s.zip.partial"]
    run(*command)
    assert [path.name for path in tmp_path.iterdir()] == ["s.zip"]
    (tmp_path / "s.zip").unlink()
    stopped(*command, file_bytes=100)  # not enough for a single file
    assert list(tmp_path.iterdir()) == []
    run(*command)
    assert taskcodec.open(tmp_path / "s.zip").verify() == []


@pytest.mark.parametrize(
    ("verb", "source", "name", "file_bytes"),
    [
        ("fit", "x.npy", "o.codec", 500),
        ("features", "x.npy", "o.npy", 100_000),
        ("decode", "x.tcz", "o.npy", 100_000),
        ("decode", "x.tcz", "o.parquet", 100_000),
    ],
)
@pytest.mark.parametrize("before", [None, b": what was there before"])
def test_files_are_written_whole_or_not_at_all(inputs, tmp_path, verb, source, name, file_bytes, before):
    output = tmp_path / name
    if before is not None:  # a file of its kind: others are not replaced
        before = {".npy": b"\x93NUMPY", ".parquet": b"PAR1", ".codec": b"taskcodec.codec"}[output.suffix] + before
        output.write_bytes(before)
    line = stopped(verb, inputs / source, "-o", output, file_bytes=file_bytes)
    assert str(output) in line
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({name: before} if before else {})
    run(verb, inputs / source, "-o", output)
    assert output.stat().st_size > file_bytes


@pytest.mark.slow
def test_a_file_system_that_is_really_full(inputs, tmp_path):
    if shutil.which("mount") is None:
        pytest.skip("no mount")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted: {made.stderr.strip()}")
    try:
        for verb, source, name in (("features", "x.npy", "o.npy"), ("decode", "x.tcz", "o.npy")):
            found = run(verb, inputs / source, "-o", disk / name, code=1)
            assert found.stderr == f"taskcodec: {disk / name}: cannot be written (No space left on device)\n"
            assert not list(disk.iterdir())
        command = ["encode", inputs / "x.npy", disk / "s.tcz", "--chunk", "32", "--bits", "40"]
        found = run(*command, code=1)
        assert found.stderr.count("\n") == 1
        assert "No space left on device" in found.stderr
        assert str(disk / "s.tcz") in found.stderr
        assert 0 < len(taskcodec.open(disk / "s.tcz")) < 4000
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        run(*command)
        assert contents(disk / "s.tcz") == contents(Path(inputs) / "x.tcz")
    finally:
        subprocess.run(["umount", disk], check=True)

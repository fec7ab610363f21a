"""Names, places and arguments that are not what they should be: one line that says so, and nothing is lost."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import taskcodec
from tests.cli.test_encode import contents, refused, run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """x.npy, and a store of it."""
    folder = tmp_path_factory.mktemp("strange")
    x = np.random.default_rng(0).normal(size=(300, 8)).astype("f4")
    np.save(folder / "x.npy", x)
    np.save(folder / "flat.npy", np.ones((300, 8), "f4"))
    np.save(folder / "nan.npy", np.full((300, 8), np.nan, "f4"))
    run("encode", folder / "x.npy", folder / "x.tcz", "--bits", "20")
    (folder / "photo.npy").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (folder / "a.csv").write_text("id,label\n0,cat\n1,dog\n")
    return folder


def test_an_empty_name(place):
    refused(place, "encode", "", place / "y.tcz", code=2, says=["empty name"])
    refused(place, "encode", place / "x.npy", "", code=2, says=["empty name"])
    refused(place, "fit", place / "x.npy", "-o", "", code=2, says=["empty name"])
    with pytest.raises(taskcodec.TaskcodecError, match="empty name"):
        taskcodec.open("")


def test_an_output_in_a_folder_that_is_not_there(place, tmp_path):
    for name, arguments in (
        ("y.npy", ("decode", place / "x.tcz")),
        ("y.parquet", ("decode", place / "x.tcz")),
        ("z.npy", ("features", place / "x.npy")),
        ("y.codec", ("fit", place / "x.npy", "--bits", "20")),
    ):
        output = tmp_path / "none" / name
        refused(place, *arguments, "-o", output, code=1, says=[str(output), "there is no folder", "make it first"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("device", ["foo", "cuda:99", "meta"])
def test_a_device_that_is_not_there(place, device):
    pytest.importorskip("torch")
    for arguments in (
        ("encode", place / "x.npy", place / "y.tcz"),
        ("fit", place / "x.npy", "-o", place / "y.codec"),
        ("features", place / "x.npy", "-o", place / "y.npy"),
        ("evaluate", place / "x.tcz", "--raw", place / "x.npy"),
    ):
        refused(place, *arguments, "--device", device, code=2, says=[f"--device {device}: cannot be used here"])


def test_a_place_where_nothing_is(place):
    for verb in ("info", "verify"):
        refused(place, verb, place / "nope", code=1, says=["nope", "no such file or folder"])
    refused(place, "decode", place / "nope", "-o", place / "y.npy", code=1, says=["no such file or folder"])


def test_a_step_that_would_clip(place):
    refused(place, "fit", place / "x.npy", "-o", place / "c", "--step", "1e-9", code=2, says=["1e-09", "smallest"])
    codec = taskcodec.fit(np.load(place / "x.npy"), bits=20)
    with pytest.raises(taskcodec.TaskcodecError, match="smallest"):
        taskcodec.at_step(codec, 1e-9)


def test_the_smallest_step_that_is_named_works(place, tmp_path):
    said = run("fit", place / "x.npy", "-o", tmp_path / "c", "--step", "1e-9", code=2).stderr
    x = np.load(place / "x.npy")
    smallest = said.strip().rpartition(" ")[2]
    run("fit", place / "x.npy", "-o", tmp_path / "c", "--step", smallest)
    codec = taskcodec.load_codec(tmp_path / "c")
    assert np.abs(codec.decode(codec.encode(x)) - x).max() < 0.01


def test_outputs_over_other_files_and_into_a_store(place):
    store = place / "x.tcz"
    refused(place, "decode", store, "-o", store / "y.npy", code=2, says=["lies in the store"])
    refused(place, "decode", store, "-o", store / "samples" / "y.npy", code=2, says=["lies in the store"])
    refused(place, "decode", store, "-o", place / "photo.npy", code=2, says=["not a .npy file"])
    refused(place, "features", place / "x.npy", "-o", place / "photo.npy", code=2, says=["not a .npy file"])
    refused(place, "fit", place / "x.npy", "-o", place / "photo.jpg", code=2, says=["not a codec"])


def test_outputs_over_files_of_their_kind(place, tmp_path):
    for _ in range(2):
        run("decode", place / "x.tcz", "-o", tmp_path / "y.npy")
        run("decode", place / "x.tcz", "-o", tmp_path / "y.parquet")
        run("fit", place / "x.npy", "-o", tmp_path / "c", "--bits", "20")


def test_arguments_come_before_the_place(place):
    command = ("encode", place / "x.npy", place / "x.tcz", "--bits", "21")
    refused(place, *command, "--device", "toaster", code=2, says=["--device toaster"])


def test_a_run_that_codes_nothing_leaves_nothing(place, tmp_path):
    command = ("encode", place / "nan.npy", tmp_path / "y.tcz", "--codec", place / "x.tcz")
    found = run(*command, code=1)
    assert "NaN or infinity" in found.stderr
    assert contents(tmp_path) == {}


def test_a_rate_that_cannot_be_met_is_told(place, tmp_path):
    np.save(tmp_path / "few.npy", np.load(place / "x.npy")[:5])
    found = run("encode", tmp_path / "few.npy", tmp_path / "few.tcz", "--bits", "20")
    assert "--bits 20 was not met" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20").stderr.count("not met") <= 1
    flat = run("fit", place / "flat.npy", "-o", tmp_path / "y.codec").stderr
    assert "the usual rate of 32 bits was not met" in flat
    assert run("encode", tmp_path / "few.npy", tmp_path / "y.tcz").stderr == ""  # which has no rate to miss


def test_a_store_larger_than_its_source_is_called_so(place, tmp_path):
    np.save(tmp_path / "few.npy", np.load(place / "x.npy")[:5])
    shown = run("encode", tmp_path / "few.npy", tmp_path / "few.tcz", "--bits", "20").stdout
    info = taskcodec.open(tmp_path / "few.tcz").info()
    assert info.store_ratio < 0.1
    assert f"{1 / info.store_ratio:,.0f}x larger" in shown
    assert "0x smaller" not in shown


def test_other_labels_for_a_finished_store(place, tmp_path):
    run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20")
    command = ("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20", "--labels", place / "a.csv")
    assert "--overwrite to change them" in run(*command).stderr
    assert taskcodec.open(tmp_path / "x.tcz").labels is None
    assert "--overwrite" not in run(*command, "--overwrite").stderr
    assert taskcodec.open(tmp_path / "x.tcz").labels[:3].tolist() == ["cat", "dog", None]


def test_labels_that_match_in_part_are_told(place, tmp_path):
    (tmp_path / "im").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / "im" / f"{i}.png")
    table = tmp_path / "im" / "labels.csv"  # which is no sample
    table.write_text("path,label\n0.png,cat\n1.png,dog\nnone.png,cat\n2.png\n")
    told = f"taskcodec: warning: {table}: 1 of 3 ids name no sample; 2 of 4 samples have no label\n"
    found = run("encode", tmp_path / "im", tmp_path / "im.tcz", "--labels", table, "--bits", "100", "--json")
    assert told in found.stderr
    assert json.loads(found.stdout)["samples"] == 4
    assert told in run("fit", tmp_path / "im", "-o", tmp_path / "c", "--labels", table, "--step", "3").stderr
    table.write_text("path,label\n0.png,cat\n1.png,dog\n2.png,cat\n3,dog\n")
    whole = run("encode", tmp_path / "im", tmp_path / "im.tcz", "--labels", table, "--bits", "100", "--overwrite")
    assert "labels.csv" not in whole.stderr
    found = run("encode", place / "x.npy", tmp_path / "x.tcz", "--bits", "20", "--labels", place / "a.csv")
    assert f"{place / 'a.csv'}: 298 of 300 samples have no label" in found.stderr


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


def test_why_no_sample_was_left_to_fit_is_told(place, tmp_path):
    np.save(tmp_path / "huge.npy", np.full((50, 4), 1e300))
    for command, says in (
        (("fit", tmp_path / "huge.npy", "-o", tmp_path / "h.codec"), "found none"),
        (("encode", tmp_path / "huge.npy", tmp_path / "h.tcz"), "none of its 50 samples could be coded"),
    ):
        assert f"{says} (the first fault: NaN or infinity (as float32)" in run(*command, code=1).stderr


def test_names_do_not_drive_the_terminal(place, tmp_path):
    (tmp_path / "im").mkdir()
    (tmp_path / "im" / "a\x1b[31m\nb.jpg").write_bytes(b"")
    Image.new("RGB", (40, 40)).save(tmp_path / "im" / "ok.png")
    run("encode", tmp_path / "im", tmp_path / "im.tcz")
    found = run("info", tmp_path / "im.tcz", "--failures")
    assert r"not coded: a\x1b[31m\nb.jpg: empty file" in found.stdout.splitlines()


def test_one_sample_far_out_spoils_no_other_and_is_named(place, tmp_path):
    x = np.random.default_rng(0).normal(size=(600, 16)).astype("f4")
    run("fit", place / "x.npy", "-o", tmp_path / "c.codec", "--bits", "40")
    x[7] *= 1e9
    np.save(tmp_path / "far.npy", x)
    found = run("encode", tmp_path / "far.npy", tmp_path / "far.tcz", "--bits", "40")
    assert "1 samples lie beyond what can be coded and were clipped, such as 7" in found.stderr
    rest = np.delete(np.arange(600), 7)
    error = taskcodec.open(tmp_path / "far.tcz").features[rest] - x[rest]
    assert np.sqrt(np.mean(error**2)) < 0.5
    named = run("fit", tmp_path / "far.npy", "-o", tmp_path / "n.codec", "--step", "inf", code=2)
    assert "--step must be a positive number" in named.stderr
    assert "keeps next to nothing" in run("fit", place / "x.npy", "-o", tmp_path / "n.codec", "--step", "1e9").stderr

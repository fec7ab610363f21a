"""`taskcodec decode` from the command line: what it says of layers of files."""

import json
import shutil

import pytest

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from tests.cli.commands import contents, refused, run
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store of three pictures and five files that are none; its originals lie outside it."""
    root = tmp_path_factory.mktemp("decode")
    (root / "photos").mkdir()
    for number in range(3):
        (root / "photos" / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    for number in range(5):
        (root / "photos" / f"none{number}.jpg").write_bytes(b"no picture")
    (root / "photos" / ("long" * 62 + ".jpg")).write_bytes(saved(scene(40, 41), "JPEG"))
    layers = f"picture:500,original@{root}/originals"
    encode_job(str(root / "photos"), str(root / "s.tcz"), EncodeOptions(backbone=Eyes(), layers=layers))
    return root


def test_names_the_first_samples_without_and_names_that_could_not_be_had(root, tmp_path):
    told = run("decode", root / "s.tcz", "--layer", "picture", "-o", tmp_path / "out").stdout.splitlines()
    assert told[0].endswith("out: 4 files")
    assert told[1] == "of 5 samples the layer has none: none0.jpg, none1.jpg, none2.jpg and 2 more"
    assert told[2].startswith("1 could not have their own names: longlong")
    found = json.loads(run("decode", root / "s.tcz", "--layer", "picture", "-o", tmp_path / "o", "--json").stdout)
    assert (found["files"], found["without"]) == (4, 5)
    assert found["lacking"] == [f"none{number}.jpg" for number in range(5)]
    assert list(found["renamed"]) == ["long" * 62 + ".jpg"]
    assert found["renamed"]["long" * 62 + ".jpg"].endswith(".jpg.avif")
    assert found["damaged"] == []


def test_writes_what_is_sound_and_tells_what_is_damaged(root, tmp_path):
    shutil.copytree(root / "s.tcz", tmp_path / "s.tcz")
    command = ("decode", tmp_path / "s.tcz", "--layer", "picture", "-o")
    run(*command, tmp_path / "whole")
    path = tmp_path / "s.tcz" / "layers" / "picture" / "c" / "0"
    data, hurt = bytearray(path.read_bytes()), (tmp_path / "whole" / "1.jpg.avif").read_bytes()
    data[data.index(hurt) + 40] ^= 1
    path.write_bytes(data)
    told = run(*command, tmp_path / "out", code=1)
    lines = told.stdout.splitlines()
    assert (lines[0].endswith("out: 3 files"), told.stderr) == (True, "")
    assert lines[3] == "1 not written, since they are damaged in the store:"
    assert lines[4].startswith(f"1.jpg: {path}: the item of sample ")
    assert len(lines) == 5
    rest = {name: data for name, data in contents(tmp_path / "whole").items() if name.name != "1.jpg.avif"}
    assert contents(tmp_path / "out") == rest
    found = json.loads(run(*command, tmp_path / "json", "--json", code=1).stdout)
    assert found["files"] == 3
    assert found["damaged"] == [{"id": "1.jpg", "fault": lines[4].removeprefix("1.jpg: ")}]


def test_tells_the_first_of_many_that_are_damaged(root, tmp_path):
    shutil.copytree(root / "s.tcz", tmp_path / "s.tcz")
    (tmp_path / "s.tcz" / "layers" / "picture" / "c" / "0").unlink()
    command = ("decode", tmp_path / "s.tcz", "--layer", "picture", "-o")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("taskcodec.cli.verbs.decode._TOLD", 2)
        lines = run(*command, tmp_path / "out", code=1).stdout.splitlines()
    assert lines[0].endswith("out: 0 files")
    assert lines[1] == "9 not written, since they are damaged in the store:"
    assert [line.endswith("layers/picture/c/0: missing") for line in lines[2:4]] == [True, True]
    assert lines[4:] == ["and 7 more (--json names all)"]
    assert len(json.loads(run(*command, tmp_path / "o", "--json", code=1).stdout)["damaged"]) == 9


def test_reads_elsewhere_where_it_is_told_to(root, tmp_path, monkeypatch):
    there = root / "originals"
    command = ("decode", root / "s.tcz", "--layer", "original", "-o")
    refused(root, *command, tmp_path / "a", code=2, says=[f"lies at {there}", f"--elsewhere {there}"])
    assert len(list((tmp_path / "a").iterdir()) if (tmp_path / "a").exists() else []) == 0
    assert "9 files" in run(*command, tmp_path / "b", "--elsewhere", there).stdout
    run("verify", root / "s.tcz", code=1)
    run("verify", root / "s.tcz", "--elsewhere", root)
    assert f"kept at {there}" in run("info", root / "s.tcz").stdout
    monkeypatch.setenv("TASKCODEC_ELSEWHERE", f"s3://other {root}")
    assert "9 files" in run(*command, tmp_path / "c").stdout
    run("verify", root / "s.tcz")
    size = json.loads(run("info", root / "s.tcz", "--json").stdout)["layers"]["original"]
    assert size["elsewhere"] == str(there)
    assert size["bytes"] > sum(path.stat().st_size for path in there.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["out.npy", "out.CSV", "out.parquet"])
def test_a_layer_of_files_goes_to_a_folder(root, tmp_path, name):
    command = ("decode", root / "s.tcz", "--layer", "picture", "-o", tmp_path / name)
    refused(tmp_path, *command, code=2, says=[name, "layer picture is a file a sample; name a folder"])
    (tmp_path / name).mkdir()
    run(*command)
    assert len(contents(tmp_path / name)) == 4

"""`taskcodec decode` from the command line: what it says of layers of files."""

import json

import pytest

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from tests.cli.commands import refused, run
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
    (root / "photos" / ("long" * 60 + ".jpg")).write_bytes(saved(scene(40, 41), "JPEG"))
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
    assert list(found["renamed"]) == ["long" * 60 + ".jpg"]


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

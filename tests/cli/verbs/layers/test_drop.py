"""`taskcodec drop` from the command line."""

import json
import shutil

import pytest

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from tests.cli.commands import contents, refused, run
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("drop")
    (root / "photos").mkdir()
    for number in range(4):
        (root / "photos" / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    encode_job(str(root / "photos"), str(root / "s.tcz"), EncodeOptions(backbone=Eyes(), layers="picture:500,original"))
    return root / "s.tcz"


def test_drops_a_layer_and_nothing_else(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "s.tcz")
    told = run("drop", tmp_path / "s.tcz", "--layer", "original").stdout
    assert "original dropped, " in told
    rest = {path: data for path, data in contents(whole).items() if path.parts[:2] != ("layers", "original")}
    assert contents(tmp_path / "s.tcz") == rest
    found = json.loads(run("drop", tmp_path / "s.tcz", "--layer", "picture", "--json").stdout)
    assert found["layer"] == "picture"
    assert found["bytes"] > 4 * 300
    assert found["elsewhere"] is None
    run("verify", tmp_path / "s.tcz")


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ("features", "features is what the store is made of, and stays; there are picture, original"),
        ("base", "base is what the store is made of"),
        ("sound", "no layer 'sound' of files; there are picture, original"),
        ("..", "no layer '..' of files"),
        ("../samples", "no layer '../samples' of files"),
    ],
)
def test_what_cannot_be_dropped_is_told(whole, layer, says):
    refused(whole, "drop", whole, "--layer", layer, code=2, says=[says])
    assert not (whole / ".lock").exists()

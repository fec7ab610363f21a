"""`taskcodec relocate` from the command line."""

import json
import shutil

import pytest

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.store import pack_zip
from tests.cli.commands import refused, run
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene


@pytest.fixture
def moved(tmp_path):
    """A store whose originals were moved from one disk to another, and its folder."""
    (tmp_path / "photos").mkdir()
    for number in range(2):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    layers = f"picture:500,original@{tmp_path}/old/o"
    encode_job(str(tmp_path / "photos"), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Eyes(), layers=layers))
    shutil.move(tmp_path / "old", tmp_path / "new")
    return tmp_path / "s.tcz", tmp_path


@pytest.mark.parametrize("zipped", [False, True])
def test_a_layer_that_was_moved_is_found_again(moved, zipped):
    place, root = moved
    if zipped:
        pack_zip(place, root / "s.zip")
        place = root / "s.zip"
    lost = run("verify", place, "--elsewhere", root / "old", code=1)
    assert f"taskcodec relocate {place} --layer original@PLACE" in lost.stdout + lost.stderr
    told = run("relocate", place, "--layer", f"original@{root}/new/o").stdout
    assert f"{place}: original lies at {root}/new/o now, no longer at {root}/old/o\n" in told
    assert f"taskcodec verify {place} --elsewhere {root}/new/o" in told
    run("verify", place, "--elsewhere", root / "new")
    found = json.loads(run("relocate", place, "--layer", f"original@{root}/new/o", "--json").stdout)
    assert "as before" in run("relocate", place, "--layer", f"original@{root}/new/o").stdout
    assert found == {"layer": "original", "before": f"{root}/new/o", "elsewhere": f"{root}/new/o"}


def test_what_is_not_where_it_is_said_to_be_is_told(moved):
    place, root = moved
    other = EncodeOptions(backbone=Eyes(), layers=f"original@{root}/other")
    encode_job(str(root / "photos"), str(root / "t.tcz"), other)
    for layer, code, says in (
        (f"original@{root}/none", 1, f"{root}/none: no layer original lies there; {place} still says"),
        (f"original@{root}/other", 1, "the layer original of another store lies there"),
        (f"original@{place}/layers", 2, "lies in the store"),
        ("original", 2, "original@PLACE"),
        ("original@", 2, "original@PLACE"),
        (f"picture@{root}/new/o", 2, "its layer picture lies in the store"),
        (f"sound@{root}/new/o", 2, "no layer 'sound' of files; there are picture, original"),
        (f"features@{root}/new/o", 2, "is what the store is made of"),
    ):
        refused(root, "relocate", place, "--layer", layer, code=code, says=[says])

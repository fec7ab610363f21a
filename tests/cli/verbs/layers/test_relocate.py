"""`taskcodec relocate` from the command line."""

import json
import shutil

import pytest

from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.store import pack_zip
from taskcodec.store.backend import change, open_blobs
from tests.cli.commands import refused, run
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a store, whose originals were moved from old/o to new/o."""
    root = tmp_path_factory.mktemp("relocate")
    (root / "photos").mkdir()
    for number in range(2):
        (root / "photos" / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    layers = f"picture:500,original@{root}/old/o"
    encode_job(str(root / "photos"), str(root / "s.tcz"), EncodeOptions(backbone=Eyes(), layers=layers))
    shutil.move(root / "old", root / "new")
    return root


@pytest.fixture
def moved(made, tmp_path):
    """A copy of the store, and the folder where its originals lie."""
    shutil.copytree(made / "s.tcz", tmp_path / "s.tcz")
    return tmp_path / "s.tcz", made


@pytest.mark.parametrize("zipped", [False, True])
def test_a_layer_that_was_moved_is_found_again(moved, zipped):
    place, root = moved
    if zipped:
        pack_zip(place, place.with_name("s.zip"))
        place = place.with_name("s.zip")
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
    elsewhere = place.with_name("other")
    other = EncodeOptions(backbone=Eyes(), layers=f"original@{elsewhere}")
    encode_job(str(root / "photos"), str(place.with_name("t.tcz")), other)
    for layer, code, says in (
        (f"original@{root}/none", 1, f"{root}/none: no layer original lies there; {place} still says"),
        (f"original@{elsewhere}", 1, "the layer original of another store lies there"),
        (f"original@{place}/layers", 2, "lies in the store"),
        ("original", 2, "original@PLACE"),
        ("original@", 2, "original@PLACE"),
        (f"picture@{root}/new/o", 2, "its layer picture lies in the store"),
        (f"sound@{root}/new/o", 2, "no layer 'sound' of files; there are picture, original"),
        (f"features@{root}/new/o", 2, "is what the store is made of"),
    ):
        refused(place.parent, "relocate", place, "--layer", layer, code=code, says=[says])


@pytest.mark.parametrize(
    ("file", "length", "says"),
    [
        ("c/0", 0, "0 bytes, fewer than it had"),
        ("c/0", 4, "4 bytes"),
        ("c/0", -1, ""),
        ("zarr.json", 0, "0 bytes"),
    ],
)
def test_a_copy_that_was_cut_short_is_told(moved, file, length, says):
    place, root = moved
    copy = place.with_name("copy")
    shutil.copytree(root / "new" / "o", copy)
    (copy / file).write_bytes((copy / file).read_bytes()[:length])
    refused(copy.parent, "relocate", place, "--layer", f"original@{copy}", code=1, says=[f"{copy}/{file}: {says}"])


def test_a_copy_at_a_url_has_all_of_its_files(moved):
    place, root = moved
    copy = f"memory://{place.parent.name}/copy"
    blobs, files = open_blobs(copy), open_blobs(root / "new" / "o")
    for key in files.sizes():
        blobs.put(key, files.get(key))
    for key, changed, says in (("c/0", b"", "0 bytes"), ("c/0", None, "missing"), ("zarr.json", b"", "0 bytes")):
        change(blobs, {key: changed})
        refused(place, "relocate", place, "--layer", f"original@{copy}", code=1, says=[f"{copy}/{key}: {says}"])
        blobs.put(key, files.get(key))
    run("relocate", place, "--layer", f"original@{copy}")
    run("verify", place, "--elsewhere", copy)

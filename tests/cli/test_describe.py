"""What `info` says of a codec's record; of layers of files, as `encode`: how many samples, where, what is damaged."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import taskcodec
from tests.cli.commands import run
from tests.transforms.originals.files import saved, scene


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders of 8 and 3 pictures."""
    root = tmp_path_factory.mktemp("sources")
    for folder, numbers in (("photos", range(8)), ("more", range(8, 11))):
        (root / folder).mkdir()
        for number in numbers:
            (root / folder / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    return root


def line_of(text, name="original"):
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line


def figures(place, *more):
    return json.loads(run("info", place, "--json", *more).stdout)["layers"]["original"]


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_layer_of_some_samples_says_so(sources, tmp_path):
    place = tmp_path / "s.tcz"
    run("encode", sources / "photos", place)
    run("encode", sources / "more", place, "--append")
    told = run("encode", sources / "photos", place, "--layers", "original").stdout
    size = size_of(place / "layers" / "original")
    assert line_of(told).endswith(f"   {size / 8:,.0f} bytes a sample, 8 of 11 samples")
    assert line_of(run("info", place).stdout) == line_of(told)
    found = figures(place)
    assert (found["bytes"], found["samples"], found["bits_per_sample"]) == (size, 8, size)
    run("encode", sources / "more", place, "--append", "--layers", "original")
    assert re.search(r" bytes a sample$", line_of(run("info", place).stdout))


def test_a_layer_elsewhere_counts_where_it_is_looked_at(sources, tmp_path):
    place, there = tmp_path / "s.tcz", tmp_path / "disk"
    told = run("encode", sources / "photos", place, "--layers", f"original@{there}").stdout
    size = size_of(there) + size_of(place / "layers" / "original")
    assert line_of(told).endswith(f" {size / 8:,.0f} bytes a sample, kept at {there}")
    assert line_of(run("info", place, "--elsewhere", there).stdout) == line_of(told)
    assert figures(place, "--elsewhere", tmp_path)["bytes"] == size
    assert line_of(run("info", place).stdout).split() == ["original", "kept", "at", str(there)]
    nothing = {"bytes": None, "bits_per_sample": None, "samples": None, "fault": None}
    assert figures(place) == {**nothing, "elsewhere": str(there)}
    viewed = run("view", place, "-o", tmp_path / "v.html")
    assert ">?<" in (tmp_path / "v.html").read_text()
    assert "0 with a picture" in viewed.stdout
    assert "no layer of pictures" not in viewed.stdout
    assert f"read only where you name it: --elsewhere {there}" in viewed.stderr
    (there / "c" / "0").unlink()
    told = line_of(run("info", place, "--elsewhere", there).stdout)
    assert told.split("   ")[-1].strip() == f"damaged: run taskcodec verify, kept at {there}"
    run("verify", place, "--elsewhere", there, code=1)


def test_a_page_shows_what_is_there_and_says_which_layer_is_missing(sources, tmp_path):
    place, page, gone = tmp_path / "s.tcz", tmp_path / "v.html", tmp_path / "gone"
    run("encode", sources / "photos", place, "--layers", f"picture:500@{tmp_path}/small,original@{gone}")
    gone.rename(tmp_path / "moved")
    viewed = run("view", place, "-o", page, "--elsewhere", gone, "--elsewhere", tmp_path / "small")
    assert "8 of 8 samples, 8 with a picture" in viewed.stdout
    assert f"its layer original should lie at {gone}, where none is" in viewed.stderr
    assert "of <bdi>original</bdi>, not read" in page.read_text()
    assert "of <bdi>picture</bdi>, not read" not in page.read_text()


@pytest.mark.parametrize("damage", ["no chunk", "an empty chunk", "metadata", "elsewhere"])
def test_a_damaged_layer_has_no_figures(damage, sources, tmp_path):
    place = tmp_path / "s.tcz"
    run("encode", sources / "photos", place, "--layers", "features,picture,original")
    folder = place / "layers" / "original"
    if damage == "no chunk":
        (folder / "c" / "0").unlink()
    elif damage == "an empty chunk":
        (folder / "c" / "0").write_bytes(b"")
    else:
        (folder / {"metadata": "zarr.json", "elsewhere": "elsewhere.json"}[damage]).write_bytes(b"{}")
    told = run("info", place).stdout
    assert line_of(told).split(maxsplit=1)[1] == "damaged: run taskcodec verify"
    assert "bytes a sample" in line_of(told, "picture")
    found = figures(place)
    assert (found["bytes"], found["bits_per_sample"], found["samples"]) == (None, None, None)
    assert found["fault"] == "damaged: run taskcodec verify"
    run("verify", place, code=1)


def test_the_record_of_a_codec_is_read_line_by_line(tmp_path):
    layer = {"analysis": {"name": "light", "sizes": {"blocks": 1, "widths": [8, 16]}}, "begin": None, "given": []}
    schedule = dict.fromkeys(("accelerator", "batch", "checkpoint_every", "learning_rate", "seed"), "of some length")
    stages = [{"beta": beta, "layers": {"base": layer}, "schedule": schedule} for beta in (0.1, 0.2)]
    deep = {"a": [1]}
    for _ in range(200):
        deep = {"a": deep}
    record = {"trained": stages, "bits": {"base": 12.5, "top": 3}, "names": ["a name"] * 40, "deep": deep}
    codec = taskcodec.fit(np.random.default_rng(0).normal(size=(50, 4)).astype("f4"), bits=8)
    replace(codec, provenance=record).save(tmp_path / "c.codec")
    told = run("info", tmp_path / "c.codec").stdout.splitlines()
    assert max(map(len, told[1:])) <= 100  # the first has its path
    for line in (
        "  bits         base 12.5, top 3",
        "  trained 2",
        "    beta     0.2",
        "    layers",
        "      base",
        "        analysis",
        "          name  light",
        "          sizes blocks 1, widths 8; 16",
        "      learning_rate    of some length",
    ):
        assert line in told
    assert not [line for line in told if "begin" in line or "given" in line.split()]
    assert json.loads(run("info", tmp_path / "c.codec", "--json").stdout)["provenance"] == record

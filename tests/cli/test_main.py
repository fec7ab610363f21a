"""The commands as a shell sees them; what is not about the shell runs in this process."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.cli import test_encode as here


def run(*arguments, code=0):
    found = subprocess.run(
        [sys.executable, "-m", "taskcodec.cli.main", *map(str, arguments)], capture_output=True, text=True
    )
    assert found.returncode == code, found.stderr
    assert "Traceback" not in found.stderr
    return found


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", (rng.normal(size=(3000, 6)) @ rng.normal(size=(6, 40))).astype("f4"))
    return folder


def test_the_whole_way(vectors):
    x = np.load(vectors / "x.npy")
    run("fit", vectors / "x.npy", "-o", vectors / "x.codec", "--bits", "80")
    run("encode", vectors / "x.npy", vectors / "x.tcz", "--codec", vectors / "x.codec", "--bits", "80")
    info = json.loads(run("info", vectors / "x.tcz", "--json").stdout)
    assert info["samples"] == 3000
    assert info["dimension"] == 40
    assert info["bits_per_sample"] == pytest.approx(80, rel=0.02)
    assert info["code_bytes"] < info["store_bytes"]
    assert info["source_bytes"] == x.nbytes
    run("verify", vectors / "x.tcz")
    run("verify", vectors / "x.codec")
    run("decode", vectors / "x.tcz", "-o", vectors / "y.npy")
    run("decode", vectors / "x.tcz", "-o", vectors / "y.parquet")
    y = np.load(vectors / "y.npy")
    assert y.shape == x.shape
    assert np.mean((x - y) ** 2) < 0.01 * x.var()
    np.save(vectors / "more.npy", x[::-1])
    run("encode", vectors / "more.npy", vectors / "x.tcz", "--append", "--codec", vectors / "x.codec")
    assert json.loads(run("info", vectors / "x.tcz", "--json").stdout)["samples"] == 6000


def test_endings_in_capitals(vectors, tmp_path):
    here.run("encode", vectors / "x.npy", tmp_path / "x.tcz", "--bits", "60")
    for name in ("X.NPY", "X.PARQUET"):
        here.run("decode", tmp_path / "x.tcz", "-o", tmp_path / name)
    assert np.load(tmp_path / "X.NPY").shape == (3000, 40)
    here.run("features", vectors / "x.npy", "-o", tmp_path / "Y.Npy")


def test_zip_store_and_automatic_fit(vectors):
    here.run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "60")
    before = (vectors / "z.zip").read_bytes()
    assert (
        "already; nothing was done" in here.run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "60").stderr
    )
    assert "exists" in here.run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "50", code=1).stderr
    assert (vectors / "z.zip").read_bytes() == before
    assert not (vectors / "z.zip.partial").exists()
    assert json.loads(here.run("info", vectors / "z.zip", "--json").stdout)["samples"] == 3000
    here.run("verify", vectors / "z.zip")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, ""),
        (("nonsense",), 2, "nonsense"),
        (("encode",), 2, "source"),
        (("encode", "/no/where", "{}/s.tcz"), 1, "/no/where"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--bits", "-3"), 2, "--bits"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--bits", "many"), 2, "--bits"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--codec", "lite0"), 1, "features of 40"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--codec", "{}/x.npy"), 1, "not a taskcodec codec"),
        (("encode", "{}", "{}/s.tcz", "--backbone", "magic"), 1, "magic"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--backbone", "timm:some"), 2, "--backbone timm:some"),
        (("fit", "{}/x.npy", "-o", "{}/c", "--backbone", "lite0"), 2, "--backbone lite0"),
        (("features", "{}/x.npy", "-o", "{}/f.npy", "--backbone", "lite0"), 2, "--backbone lite0"),
        (("fit", "{}/x.npy", "-o", "{}/c", "--bits", "5", "--step", "1"), 2, "--step"),
        (("fit", "{}/x.npy", "-o", "{}/c", "--tolerance", "1"), 2, "labels"),
        (("fit", "{}/x.npy", "-o", "/no/where/c"), 1, "/no/where/c"),
        (("decode", "{}", "-o", "{}/y.npy"), 1, "not a taskcodec store"),
        (("decode", "{}/x.npy", "-o", "{}/y.npy"), 1, "x.npy"),
        (("info", "{}/nothing"), 1, "nothing"),
        (("info", "{}/x.npy"), 1, "x.npy"),
        (("info", "lite0", "--failures"), 2, "--failures"),
        (("verify", "/dev/null"), 1, "/dev/null"),
        (("features", "{}/x.npy", "-o", "{}/f.txt"), 2, ".npy"),
    ],
)
def test_nonsense_gives_one_clear_line(vectors, arguments, code, says):
    found = here.run(*[argument.replace("{}", str(vectors)) for argument in arguments], code=code)
    lines = found.stderr.strip().splitlines()
    assert len(lines) <= 1
    assert says in found.stderr

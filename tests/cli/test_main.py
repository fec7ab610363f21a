"""The commands, with arguments, names and places that are as they should be, and others."""

import json

import numpy as np
import pytest

import taskcodec
from tests.cli.commands import COMMAND, refused, run


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
    run("encode", vectors / "x.npy", tmp_path / "x.tcz", "--bits", "60")
    for name in ("X.NPY", "X.PARQUET"):
        run("decode", tmp_path / "x.tcz", "-o", tmp_path / name)
    assert np.load(tmp_path / "X.NPY").shape == (3000, 40)
    run("features", vectors / "x.npy", "-o", tmp_path / "Y.Npy")


def test_zip_store_and_automatic_fit(vectors):
    run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "60")
    before = (vectors / "z.zip").read_bytes()
    assert "already; nothing was done" in run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "60").stderr
    assert "exists" in run("encode", vectors / "x.npy", vectors / "z.zip", "--bits", "50", code=1).stderr
    assert (vectors / "z.zip").read_bytes() == before
    assert not (vectors / "z.zip.partial").exists()
    assert json.loads(run("info", vectors / "z.zip", "--json").stdout)["samples"] == 3000
    run("verify", vectors / "z.zip")


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
        (("encode", "{}/x.npy", "{}/s.tcz", "--codec", "{}/x.npy"), 1, "x.npy: neither a taskcodec codec"),
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
        (
            ("info", "{}/x.npy"),
            1,
            "x.npy: neither a taskcodec codec (a safetensors file with our manifest) nor a store",
        ),
        (("verify", "{}/x.npy"), 1, "x.npy: neither a taskcodec codec"),
        (("encode", "{}/x.npy", "{}/s.tcz", "--codec", "{}"), 1, "neither a taskcodec store"),
        (
            ("evaluate", "{}/x.npy", "--source", "{}/x.npy"),
            2,
            "x.npy: not a taskcodec store; --raw, --source and --codec",
        ),
        (("evaluate", "/dev/null/x"), 1, "no such file"),
        (("evaluate", "{}/x.npy", "--codec", "a.codec"), 2, "go with a store"),
        (("info", "lite0", "--failures"), 2, "--failures"),
        (("verify", "/dev/null"), 1, "/dev/null"),
        (("features", "{}/x.npy", "-o", "{}/f.txt"), 2, ".npy"),
    ],
)
def test_nonsense_gives_one_clear_line(vectors, arguments, code, says):
    found = run(*[argument.replace("{}", str(vectors)) for argument in arguments], code=code)
    lines = found.stderr.strip().splitlines()
    assert len(lines) <= 1
    assert says in found.stderr


@pytest.mark.parametrize("verb", [*COMMAND.commands])
def test_each_verb_points_at_its_own_help(verb):
    for arguments in ([], ["--nosuch"], ["a", "b", "c", "d", "--seed"]):
        if verb != "demo" or arguments:  # which needs none
            assert run(verb, *arguments, code=2).stderr.endswith(f" (see `taskcodec {verb} --help`)\n")


def test_what_is_no_verb_points_at_the_help():
    for arguments in (["nosuch"], ["--nosuch", "encode"]):
        assert run(*arguments, code=2).stderr.endswith(" (see `taskcodec --help`)\n")


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

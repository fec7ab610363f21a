import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.fitting.lossless.fit import MODELS, fit_lossless
from taskcodec.transforms.values.pixels import PixelValues
from tests.cli.commands import run
from tests.lossless import strokes, write_folder, write_idx


@pytest.mark.parametrize("write", [write_folder, write_idx])
def test_a_collection_comes_back_as_it_was(tmp_path, write):
    pictures = strokes(60)
    source, codec, store = write(tmp_path / "source", pictures), tmp_path / "a.codec", tmp_path / "a.zip"
    assert "lossless, pictures of 6x7 pixels" in run("fit", source, "-o", codec, "--lossless").stdout
    run("encode", source, store, "--codec", codec)
    assert "60 samples" in run("info", store).stdout
    run("verify", store)
    assert "60 samples (pictures of 6x7 pixels" in run("decode", store, "-o", tmp_path / "a.npy").stdout
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.uint8
    assert np.array_equal(found, pictures)
    run("decode", store, "--layer", "base", "-o", tmp_path / "again")
    files = sorted((tmp_path / "again").rglob("*.png"))
    assert np.array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), pictures)
    # The same command has nothing left to do; what is appended is coded with the store's codec.
    assert "nothing was done" in run("encode", source, store, "--codec", codec).stderr


def test_16_bits_and_colours(tmp_path):
    for number, pictures in enumerate((strokes(20, dtype=np.uint16), strokes(20, channels=3))):
        source, codec, store = (tmp_path / f"{what}{number}" for what in ("s", "c", "t"))
        run("fit", write_folder(source, pictures), "-o", codec, "--lossless")
        run("encode", source, store, "--codec", codec)
        assert np.array_equal(taskcodec.open(store).values[:], pictures)


def test_other_pictures_are_recorded(tmp_path):
    source = write_folder(tmp_path / "source", strokes(20))
    Image.fromarray(strokes(1, 9, 9)[0]).save(source / "other.png")
    run("fit", source, "-o", tmp_path / "a.codec", "--lossless")
    found = run("encode", source, tmp_path / "a.tcz", "--codec", tmp_path / "a.codec").stdout
    assert "not coded: other.png: a picture of (9, 9) and 8 bits: the codec is for pictures of 6x7 pixels" in found
    assert np.array_equal(taskcodec.open(tmp_path / "a.tcz").values[:], strokes(20))


def test_appended_pictures(tmp_path):
    first, more = (write_folder(tmp_path / str(seed), strokes(15, seed=seed)) for seed in (0, 1))
    run("fit", first, "-o", tmp_path / "a.codec", "--lossless")
    run("encode", first, tmp_path / "a.tcz", "--codec", tmp_path / "a.codec")
    assert "no layer" in run("encode", more, tmp_path / "a.tcz", "--append", "--layers", "top", code=2).stderr
    run("encode", more, tmp_path / "a.tcz", "--append", "--layers", "base")
    expected = np.concatenate([strokes(15, seed=seed) for seed in (0, 1)])
    assert np.array_equal(taskcodec.open(tmp_path / "a.tcz").values[:], expected)


def test_options_that_do_not_go_with_it(tmp_path):
    source = write_folder(tmp_path / "source", strokes(20))
    codec, store = tmp_path / "a.codec", tmp_path / "a.tcz"
    assert (
        "--lossless goes with --model alone"
        in run("fit", source, "-o", codec, "--lossless", "--bits", 9, code=2).stderr
    )
    assert "--model goes with --lossless" in run("fit", source, "-o", codec, "--model", "columns", code=2).stderr
    assert "--model must be one of" in run("fit", source, "-o", codec, "--lossless", "--model", "x", code=2).stderr
    run("fit", source, "-o", codec, "--lossless")
    for option in (["--bits", 9], ["--backbone", "lite0"], ["--effort", 2]):
        assert "a lossless codec" in run("encode", source, store, "--codec", codec, *option, code=2).stderr
    np.save(tmp_path / "v.npy", np.zeros((5, 42), np.float32))
    assert "takes images" in run("encode", tmp_path / "v.npy", store, "--codec", codec, code=1).stderr
    assert "vectors of floats" in run("fit", tmp_path / "v.npy", "-o", codec, "--lossless", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_another_process_with_other_threads_gives_the_same_values(tmp_path, model):
    pictures = strokes(400, 12, 12)
    codec = fit_lossless(pictures[:300], PixelValues((12, 12)), model)
    codec.save(tmp_path / "a.codec")
    source, store = write_idx(tmp_path / "source", pictures), tmp_path / "a.zip"
    for threads, command in (
        ("1", ["encode", source, store, "--codec", tmp_path / "a.codec"]),
        ("4", ["decode", store]),
    ):
        count = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        output = ["-o", tmp_path / "a.npy"] * (command[0] == "decode")
        call = [sys.executable, "-m", "taskcodec", *map(str, [*command, *output])]
        subprocess.run(call, check=True, capture_output=True, env={**os.environ, **count})
    assert np.array_equal(np.load(tmp_path / "a.npy"), pictures)
    bits = taskcodec.open(store).info().code_bytes * 8
    assert bits == pytest.approx(codec.code_length(codec.encode(pictures)).sum(), rel=0.02)

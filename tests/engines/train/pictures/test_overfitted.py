"""A codec that is overfitted to each picture, from the command to a store and back; what is wrong is named."""

import re
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

if any(find_spec(name) is None for name in ("lightning", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)

import taskcodec
from taskcodec.engines.train.config import read_config
from taskcodec.errors import TaskcodecError
from taskcodec.symbol_choice.pictures.overfitted.levels import STEPS
from tests.cli.commands import run
from tests.pictured import picture

GOOD = """
data: {source: in, samples: 4, crop: 16}
overfitted: {levels: 3, width: 4, context: 3}
beta: 0.001
training: {steps: 2, batch: 2}
"""
SIZES = ((20, 24), (17, 9), (1, 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("overfitted")
    (root / "o.yaml").write_text(GOOD)
    (root / "in").mkdir()
    for number, size in enumerate(SIZES):
        Image.fromarray(picture(*size, number)).save(root / "in" / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setitem(STEPS, 1, 4)
        assert "o.codec: beta 0.001" in run("train", "o.yaml", "-o", "o.codec").stdout
        run("encode", "in", "o.tcz", "--codec", "o.codec")
    return root


def test_a_store_gives_the_pictures_back_and_decodes_on_its_own(folder, monkeypatch):
    monkeypatch.chdir(folder)
    store = taskcodec.open("o.tcz")
    assert store.verify() == []
    assert [store.layer("picture")[row].shape for row in range(3)] == [(*size, 3) for size in SIZES]
    assert store.codec.fingerprint == taskcodec.load_codec("o.codec").fingerprint
    run("decode", "o.tcz", "--layer", "picture", "-o", "out")
    found = np.asarray(Image.open(next((folder / "out").rglob("0*.png"))))
    assert np.array_equal(found, store.layer("picture")[0])
    told = run("info", "o.codec").stdout
    assert "multiply-accumulates a pixel to decode" in told


def test_a_store_is_added_to_without_its_codec(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setitem(STEPS, 1, 2)
    (folder / "more").mkdir()
    Image.fromarray(picture(8, 8)).save(folder / "more" / "m.png")
    run("encode", "more", "o.tcz", "--append")
    assert len(taskcodec.open("o.tcz")) == 4


def test_rates_are_not_met(folder, monkeypatch):
    monkeypatch.chdir(folder)
    told = run("encode", "in", "r.tcz", "--codec", "o.codec", "--bits", "picture=500", code=2)
    assert "its rate follows from its beta" in told.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("levels: 3", "levels: 30", "overfitted.levels: expected"),
        ("levels: 3", "task: depth", "task: depth needs a predictor"),
        ("levels: 3", "task: depth, predictor: nobody", "predictor must be one of"),
        ("levels: 3", "depth: 3", "overfitted.depth: no such key"),
        ("steps: 2", "steps: 2, devices: 2", "training.devices: no such key"),
        ("beta: 0.001", "beta: [0.001, -1]", "beta must be"),
        ("beta: 0.001", "log: csv", "log: no such key"),
        ("source: in", "source: out-there", "no such file"),
    ],
)
def test_what_is_wrong_is_named(folder, monkeypatch, old, new, words):
    monkeypatch.chdir(folder)
    (folder / "bad.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(TaskcodecError, match=re.escape(words)):
        read_config("bad.yaml")

"""Codecs of pictures in steps that are chosen for what is encoded."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.fitting.picture_rate import at_steps
from tests.cli.commands import contents, run
from tests.engines.encode.kills import killed_at
from tests.pictured import SIZES, over_space, picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of all sizes, and what is none; others in `more`."""
    root = tmp_path_factory.mktemp("rated")
    for number, size in enumerate(SIZES):
        for name, seed in (("in", 0), ("more", 1)):
            (root / name).mkdir(exist_ok=True)
            Image.fromarray(picture(*size, seed)).save(root / name / f"{name[0]}{number}.png")
    (root / "in" / "text.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def rated(folder):
    """The bits a layer of a store whose codec has its steps chosen: fewer in the base, more in the detail."""
    codec = over_space()
    codec.save(folder / "s.codec")
    run("encode", folder / "in", folder / "own.tcz", "--codec", folder / "s.codec")
    before = taskcodec.open(folder / "own.tcz").info().layers
    bits = {name: round(before[name].bits_per_sample * share) for name, share in (("base", 0.8), ("detail", 1.5))}
    text = ",".join(f"{name}={value}" for name, value in bits.items())
    run("encode", folder / "in", folder / "rated.tcz", "--codec", folder / "s.codec", "--bits", text)
    return text, bits


def test_layers_have_the_bits_asked_for(folder, rated):
    store = taskcodec.open(folder / "rated.tcz")
    assert store.verify() == []
    for name, bits in rated[1].items():
        assert store.info().layers[name].bits_per_sample == pytest.approx(bits, rel=0.05)
    assert store.layer("detail")[3].shape == (4, 4, 3)
    steps = [layer.quantizer.step for layer in store.codec.layers]
    assert steps[0] > over_space().layers[0].quantizer.step
    assert steps[1] < over_space().layers[1].quantizer.step


def test_what_goes_on_or_is_appended_has_the_steps_of_the_store(folder, rated, tmp_path, monkeypatch):
    options = EncodeOptions(str(folder / "s.codec"), bits=rated[1])
    stopped = str(folder / "in"), str(tmp_path / "s.tcz"), replace(options, chunk_rows=3)
    assert killed_at(9, monkeypatch, *stopped)
    encode_job(*stopped)
    encode_job(str(folder / "in"), str(tmp_path / "t.tcz"), replace(options, chunk_rows=3))
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "t.tcz")
    run("encode", folder / "more", tmp_path / "s.tcz", "--append")
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.verify() == []
    own = {layer.name: layer.quantizer.step for layer in over_space().layers}
    expected = at_steps(over_space(), {each.name: each.quantizer.step / own[each.name] for each in store.codec.layers})
    found = expected.begin(expected.compress(str(folder / "more" / "m5.png"))).symbols["detail"][0]
    assert np.array_equal(store.layer("detail").symbols(store.find("m5.png")), found)
    again = ("encode", folder / "in", folder / "rated.tcz", "--codec", folder / "s.codec")
    assert f"encoded with {rated[0]} bits" in run(*again, "--bits", "base=99", code=1).stderr
    assert "already" in run(*again, "--bits", rated[0]).stderr

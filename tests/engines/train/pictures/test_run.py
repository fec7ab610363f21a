"""`taskcodec train` of layers, as a user runs it."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

if any(find_spec(name) is None for name in ("lightning", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)

import taskcodec
from tests.cli.commands import run

LAYER = "{name: light, widths: [4], latent: 3, blocks: 1}"
SMALL = "{side: 2, hyper: 4, context: 4, groups: [1, 2], levels: 24, phases: 2}"
BASE = f"""
data: {{source: scenes, samples: 6, side: 16, crop: 8}}
layers:
  base: {{task: segmentation, analysis: {LAYER}, preview: 0.1, entropy: {SMALL}}}
beta: 0.01
training: {{steps: 3, batch: 4, checkpoint_every: 2, accelerator: cpu}}
"""
TOP = BASE.replace("base: {task: segmentation", "picture: {given: [base]").replace(", preview: 0.1", "")


def test_a_base_and_what_is_trained_on_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text(f"below: base.codec\n{TOP}")
    stopped = run("train", "base.yaml", "-o", "base.codec", "--minutes", "0", code=75)
    assert "stopped after 2 of 3 steps" in stopped.stdout
    assert "--resume" in run("train", "base.yaml", "-o", "base.codec", code=2).stderr
    (point,) = json.loads(run("train", "base.yaml", "-o", "base.codec", "--resume", "--json").stdout)
    assert point["fingerprint"] == taskcodec.load_codec("base.codec").fingerprint
    (point,) = json.loads(run("train", "top.yaml", "-o", "both.codec", "--json").stdout)
    both = taskcodec.load_codec("both.codec")
    assert [layer.name for layer in both.layers] == ["base", "picture"]
    x = np.random.default_rng(0).integers(0, 256, (21, 18, 3), dtype=np.uint8)
    packet = both.compress(x)
    assert both.decompress(packet).shape == x.shape
    assert point["trained_bits"] > 0


def test_what_is_wrong_with_the_layers_names_file_and_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "top.yaml").write_text(TOP)
    told = run("train", "top.yaml", "-o", "both.codec", code=2).stderr
    assert "top.yaml: layers.picture.given: base is no layer below it" in told

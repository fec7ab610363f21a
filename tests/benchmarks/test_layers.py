"""The experiments with layers, and what the committed results say."""

import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec

import pytest

from tests import ROOT

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)


@pytest.mark.slow
def test_the_experiments_with_layers_go_on_where_they_were(tmp_path):
    pytest.importorskip("matplotlib")
    script = ROOT / "benchmarks" / "layers" / "run.py"
    command = [sys.executable, script, "--work", tmp_path / "work", "--out", tmp_path, "--seeds", "1", "--steps", "3"]
    command += ["--scenes", "16", "--test", "3", "--experiments", "picture_over_depth"]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads((tmp_path / "results.json").read_text())
    assert {row["kind"] for row in found["rows"]} == {"base", "top", "free"}
    assert len(found["rows"]) == 20  # four prices, and bases and tops with and without a reward
    for row in found["rows"]:
        for name, bits in row["bits"].items():
            assert bits == pytest.approx(row["estimate_bits"][name], rel=0.01)
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "of 20" not in again.stdout  # nothing is made twice
    assert json.loads((tmp_path / "results.json").read_text())["rows"] == found["rows"]


@pytest.mark.slow
def test_the_experiments_with_layers_run_on_real_sets(tmp_path, data_dir):
    pytest.importorskip("matplotlib")
    with zipfile.ZipFile(data_dir / "osd_rgbd_seg" / "osd_rgbd_seg.zip") as archive:
        archive.extractall(tmp_path / "osd_rgbd_seg")
    script = ROOT / "benchmarks" / "layers" / "run.py"
    command = [sys.executable, script, "--work", tmp_path / "work", "--data", tmp_path, "--out", tmp_path, "--seeds"]
    command += ["0", "--steps", "3", "--test", "3", "--experiments", "osd_rgbd_picture_over_depth"]
    subprocess.run(command, check=True, capture_output=True)
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert len(rows) == 13  # a base; four prices with it, without it, and longer without it
    for row in rows:
        for name, bits in row["bits"].items():
            assert bits == pytest.approx(row["estimate_bits"][name], rel=0.01)
        if row["kind"] == "base":
            assert 0 <= row["value"] <= 1
            assert 0 < row["stored_value"] <= 1


def test_the_page_on_layers_says_what_the_committed_results_on_real_sets_hold():
    text = (ROOT / "docs" / "train-layers.md").read_text(encoding="utf-8")
    kept = ROOT / "benchmarks" / "results" / "layers" / "real" / "results.json"
    for figures in json.loads(kept.read_text(encoding="utf-8"))["summary"].values():
        told = [figures[f"{name}_percent, reward 0"] for name in ("conditional", "total", "scalability")]
        cells = [f"{each['mean']:+.0f} % ({each['low']:+.0f} to {each['high']:+.0f})" for each in told]
        assert " | ".join(cells) in text

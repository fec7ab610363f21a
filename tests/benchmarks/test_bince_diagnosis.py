"""The diagnosis of BINCE, and what its committed results say."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests import ROOT

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)


@pytest.mark.slow
def test_the_diagnosis_of_bince_runs_and_goes_on_where_it_was(tmp_path, data_dir):
    pytest.importorskip("matplotlib")
    script = ROOT / "benchmarks" / "augmented_mnist" / "bince_diagnosis.py"
    command = [sys.executable, script, data_dir / "mnist", "--work", tmp_path / "work", "--out", tmp_path]
    only = ("beta rises to .03", "4,096 more candidates", "VIC, beta .03", "VICReg", "SwAV")
    found = subprocess.run([*command, "--steps", "12", "--only", *only], check=True, capture_output=True, text=True)
    assert found.stdout.count(" bits, ") == len(only)
    again = subprocess.run([*command, "--steps", "12", "--only", *only], check=True, capture_output=True, text=True)
    assert not again.stdout
    rows = json.loads((tmp_path / "bince_diagnosis.json").read_text())["rows"]
    assert sorted(row["name"] for row in rows) == sorted(only)
    for row in rows:
        assert 0 <= row["accuracy"] <= 1
        assert row["sample_bits"] <= 13.3  # log2 of 10,000
    assert (tmp_path / "bince_diagnosis.png").exists()


def test_the_committed_diagnosis_of_bince_holds_what_its_page_says():
    rows = json.loads((ROOT / "benchmarks" / "results" / "bince_diagnosis.json").read_text())["rows"]
    found = {row["name"]: row for row in rows}
    at_once, rises, was = (
        found[name] for name in ("beta .03 from the start", "beta rises to .03", "as it was: beta .003")
    )
    assert at_once["lowered"] > rises["lowered"] + 0.5
    assert at_once["bits"] < 13
    assert at_once["accuracy"] < 0.5 < 0.85 < rises["accuracy"]
    for row in (was, rises):
        assert row["pose_bits"] > 1.8 * row["class_bits_augmented"]
    page = (ROOT / "docs" / "bince.md").read_text()
    for row in rows:
        name = f"{row['name']}, seed {row['seed']}" if row.get("seed") else row["name"]
        assert f"| {name} | {row['bits']:.1f} | {row['bits_of_all_columns']:.1f} |" in page

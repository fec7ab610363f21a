"""The benchmark on the banana."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests import ROOT

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)


@pytest.mark.slow
def test_the_banana_benchmark_writes_the_rows_it_promises(tmp_path):
    pytest.importorskip("matplotlib")
    script = ROOT / "benchmarks" / "banana" / "run.py"
    subprocess.run([sys.executable, script, "--quick", "--out", tmp_path], check=True, capture_output=True)
    quick = json.loads((tmp_path / "results.json").read_text())
    kept = json.loads((script.parent / "results.json").read_text())
    needed = {
        "objective",
        "entropy_model",
        "beta",
        "seed",
        "bits_file",
        "bits_model",
        "mse",
        "task",
        "command",
        "versions",
    }
    for row in quick + kept:
        assert needed <= row.keys()
        assert row["bits_file"] == pytest.approx(row["bits_model"], rel=0.01, abs=0.02)
    assert quick[0]["excess_percent"] < 5  # VIC, after 200 steps
    for objective, limit in (("VIC", 5), ("BINCE", 5), ("VC", 10)):
        within = [row for row in kept if row["codec"] == objective and row["excess_percent"] <= limit]
        assert len(within) >= 5, objective

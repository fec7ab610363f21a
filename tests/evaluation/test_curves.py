import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.curves import Point, against_best, as_records, at_rate, compare, curve, markdown, rows, table
from taskcodec.evaluation.intervals import Scores
from taskcodec.evaluation.plot import plot_rate_accuracy

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "rate_accuracy.py"


def point(codec, bits, right, regime="zero-shot"):
    found = Scores(np.arange(100), np.ones(100), (np.arange(100) < right).astype(float), "accuracy")
    return Point(regime, codec, f"{bits}", {"toy": float(bits)}, {("toy", "class"): found})


RAW = point("float32", 4096, 90)
POINTS = [
    RAW,
    *(point("PQ", b, r) for b, r in ((64, 60), (256, 80))),
    *(point("taskcodec", b, r) for b, r in ((64, 80), (128, 86))),
]


def test_rates_between_settings_are_interpolated_in_log_rate():
    line = curve(POINTS, "zero-shot", "PQ")
    assert [p.mean_bits for p in line] == [64, 256]
    found = at_rate(line, 128)
    assert found is not None
    assert found[0].value == pytest.approx(0.7)
    assert at_rate(line, 300) is None
    assert at_rate(line, 63.5) is not None
    with pytest.raises(UsageError, match="no points"):
        at_rate([], 64)


def test_table_and_comparisons():
    cells = table(POINTS, RAW, [64, 128, 1024])
    found = {(cell.codec, cell.rate_bits): cell for cell in cells}
    assert set(found) == {("float32", 4096), ("PQ", 64), ("PQ", 128), ("taskcodec", 64), ("taskcodec", 128)}
    assert found["taskcodec", 128].difference.value == pytest.approx(-0.04)
    difference = compare(POINTS, "zero-shot", "taskcodec", "PQ", 64)
    assert difference is not None
    assert difference.value == pytest.approx(0.2)
    (duel,) = against_best(POINTS, "taskcodec", "zero-shot", [256], factor=2)
    assert (duel.peer, duel.rate_bits) == ("PQ", 128)
    assert duel.difference.value == pytest.approx(0.06)
    text = markdown(cells, [64, 128])
    assert "| taskcodec | 80.00 (-10.00" in text
    assert "float32 (4,096 bits: 90.00 (+0.00" in text


def test_rows_are_plain_records():
    records = as_records(rows(POINTS, RAW, "ridge", "3 folds"))
    assert len(records) == len(POINTS)
    assert json.loads(json.dumps(records))[1]["raw_value"] == 0.9


def test_plot_writes_its_files(tmp_path):
    files = [tmp_path / "plot.png", tmp_path / "plot.svg"]
    plot_rate_accuracy([*POINTS, point("PQ", 100, 85, "fitted")], RAW, files, "toy")
    assert all(file.stat().st_size > 1000 for file in files)
    with pytest.raises(UsageError, match="no points"):
        plot_rate_accuracy(POINTS, RAW, files, "toy", most_bits=1)


def test_the_benchmark_runs_resumes_and_refuses_other_features(tmp_path):
    rng = np.random.default_rng(0)
    cache, out = tmp_path / "cache", tmp_path / "out"
    cache.mkdir()
    centres = np.abs(rng.normal(size=(3, 24)))

    def save(name, rows, **more):
        labels = np.arange(rows) % 3
        features = np.abs(centres[labels] + 0.3 * rng.normal(size=(rows, 24))).astype(np.float32)
        np.savez(cache / f"{name}.npz", features=features, labels=labels, **more)

    save("photos", 120, views=np.abs(rng.normal(size=(2, 120, 24))).astype(np.float32))
    save("toy", 90, price=np.exp(rng.normal(size=90)), house=np.arange(90) // 3)
    command = [sys.executable, str(SCRIPT), str(cache), "--out", str(out), "--fit-set", "photos"]
    command += ["--only", "sign", "--processes", "1"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    records = json.loads((out / "results.json").read_text())
    assert {(r["regime"], r["codec"], r["task"]) for r in records} >= {
        ("zero-shot", "sign", "class"),
        ("fitted", "sign", "log price"),
    }
    assert all(r["low"] <= r["value"] <= r["high"] for r in records)
    assert {r["bits_per_sample"] for r in records if r["codec"] == "sign"} == {24}
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ", 0 jobs to do" in second.stdout
    save("toy", 60)
    third = subprocess.run(command, capture_output=True, text=True)
    assert third.returncode != 0
    assert "other features" in third.stderr

"""`taskcodec train` as a user runs it, and the benchmarks that train."""

import json
import signal
import subprocess
import sys
import time
import zipfile
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

import taskcodec
from taskcodec.data.toy import banana_source
from tests import ROOT
from tests.cli.commands import run

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)
CONFIG = """
data: {source: points.npy}
augmentations: rotations
jitter: 0.3
model: {objective: BINCE, columns: 1, analysis: {name: mlp, hidden: [16]}}
beta: [0.1, 0.4]
training: {steps: 20, batch: 64, checkpoint_every: 10, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("train")
    np.save(root / "points.npy", banana_source().sample(2000, 0).astype("f4"))
    (root / "c.yaml").write_text(CONFIG)
    return root


def test_a_training_stops_goes_on_and_gives_a_codec_that_encodes(folder, monkeypatch):
    monkeypatch.chdir(folder)
    command = ("train", "c.yaml", "--beta", "0.1", "-o", "one.codec")
    stopped = run(*command, "--minutes", "0", code=75)
    assert "one.codec: beta 0.1, stopped after 10 of 20 steps: --resume goes on" in stopped.stdout
    assert "go on (--resume)" in run(*command, code=2).stderr
    points = json.loads(run(*command, "--resume", "--json").stdout)
    assert [(point["codec"], point["step"]) for point in points] == [("one.codec", 20)]
    run("encode", "points.npy", "one.tcz", "--codec", "one.codec")
    assert taskcodec.open("one.tcz").features[:].shape == (2000, 1)


@pytest.mark.slow
def test_a_sweep_stops_goes_on_and_gives_codecs_that_encode(folder, monkeypatch):
    monkeypatch.chdir(folder)
    command = ("train", "c.yaml", "-o", "my.codec")
    stopped = run(*command, "--minutes", "0", code=75)  # there is no codec yet, and what follows would want one
    assert "my-beta0.1.codec: beta 0.1, stopped after 10 of 20 steps: --resume goes on" in stopped.stdout
    assert "go on (--resume)" in run(*command, code=2).stderr
    points = json.loads(run(*command, "--resume", "--jobs", "2", "--json").stdout)
    assert [(point["beta"], point["step"]) for point in points] == [(0.1, 20), (0.4, 20)]
    codec = taskcodec.load_codec(folder / points[0]["codec"])
    assert (codec.fingerprint, codec.inputs) == (points[0]["fingerprint"], 2)
    run("encode", "points.npy", "points.tcz", "--codec", points[0]["codec"])
    assert taskcodec.open(folder / "points.tcz").features[:].shape == (2000, 1)
    assert (folder / "my-beta0.1.codec.training" / "metrics.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_training_that_is_told_to_stop_says_so(folder, tmp_path, number, code):
    text = CONFIG.replace("[0.1, 0.4]", "0.1").replace("steps: 20", "steps: 100000")
    (tmp_path / "long.yaml").write_text(text.replace("points.npy", str(folder / "points.npy")))
    command = [sys.executable, "-m", "taskcodec", "train", "long.yaml", "-o", "long.codec"]
    # Whoever runs these tests in the background has them ignore Ctrl-C, and a child would inherit that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as running:
        checkpoint = tmp_path / "long.codec.training" / "last.ckpt"
        while not checkpoint.exists() and running.poll() is None:
            time.sleep(0.05)
        running.send_signal(number)
        try:
            told = running.communicate(timeout=120)[1]
        finally:
            running.kill()
    assert running.returncode == code
    assert told.endswith("; run the same command with --resume to go on\n"), told
    assert not (tmp_path / "long.codec").exists()


def test_a_wrong_key_is_one_line(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "bad.yaml").write_text(CONFIG.replace("steps", "stepz"))
    found = run("train", "bad.yaml", "-o", "bad.codec", code=2)
    assert found.stdout == ""
    assert found.stderr == "taskcodec: bad.yaml: training.stepz: no such key; did you mean steps?\n"


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


@pytest.mark.slow
def test_the_digits_benchmark_runs_on_a_part(tmp_path, data_dir):
    script = ROOT / "benchmarks" / "augmented_mnist" / "run.py"
    command = [sys.executable, script, data_dir / "mnist", "--work", tmp_path / "work", "--out", tmp_path]
    subprocess.run([*command, "--subset", "2400", "--steps", "60", "--seeds", "0"], check=True, capture_output=True)
    rows = json.loads((tmp_path / "results.json").read_text())
    frozen = {"lite0, zero-shot", "lite0, raw features"}
    assert {"VC", "VIC", "BINCE", "PNG", "JPEG", "WEBP", *frozen} == {row["objective"] for row in rows}
    assert len({row["task"] for row in rows}) == 6
    trained = [row for row in rows if row["objective"] in ("VC", "VIC", "BINCE") and row["entropy_model"]]
    for row in trained:
        assert row["bits_file"] == pytest.approx(row["bits_model"], rel=0.01, abs=0.2)
    for objective in ("VC", "VIC"):
        found = [row for row in trained if row["objective"] == objective and row["task"] == "digit"]
        found = [row for row in found if row["entropy_model"] == "factorized"]
        assert max(row["accuracy"] for row in found) > 0.15  # chance is 0.1, its deviation 0.015
        assert found[0]["bits_file"] > found[-1]["bits_file"]  # a coarser step takes fewer bits
    png = next(row for row in rows if row["objective"] == "PNG")
    assert png["accuracy"] > 0.5
    assert png["bits_file"] > 1000
    planned = json.loads((tmp_path / "configuration.json").read_text())
    assert {plan["recipe"]["columns"] for plan in planned} == {32}
    assert len(list((tmp_path / "logs").iterdir())) == 3


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


def test_the_committed_results_of_the_digits_hold_what_the_documents_say():
    rows = json.loads((ROOT / "benchmarks" / "augmented_mnist" / "results.json").read_text())
    vic = [row for row in rows if row["objective"] == "VIC" and row["entropy_model"] == "factorized"]
    for seed in (0, 1, 2):
        plain = [row for row in vic if row["seed"] == seed and row["task"] == "digit"]
        assert any(row["bits_file"] <= 48 and row["accuracy"] >= 0.975 for row in plain), seed
    bince = [row for row in rows if (row["objective"], row["beta"], row["task"]) == ("BINCE", 0.018, "digit")]
    for seed in (0, 1, 2):
        own = [row for row in bince if row["seed"] == seed]
        assert any(row["bits_file"] <= 48 and row["accuracy"] >= 0.97 for row in own), seed
    augmented = [row for row in rows if row["task"] == "digit, all images augmented" and row["entropy_model"]]
    for row in augmented:
        if row["objective"] == "VIC" and row["step"] == 1.5:  # never reached by networks of that size, at any rate
            alike = [r for r in augmented if r["objective"] == "VC" and r.get("widths") == row.get("widths")]
            assert max(r["accuracy"] for r in alike) < row["accuracy"]
    moved = [row for row in rows if row["task"].endswith("views")]
    enough = [
        min(r["bits_file"] for r in moved if (r["objective"], r["seed"]) == ("VIC", seed) and r["accuracy"] >= 0.975)
        for seed in (0, 1, 2)
    ]
    assert max(enough) <= 48
    kept_pose = [row for row in moved if row["objective"] == "VC"]
    assert max(row["bits_file"] for row in kept_pose if row["entropy_model"]) >= 2.5 * max(enough)
    assert max(row["accuracy"] for row in kept_pose) < 0.96  # at any rate, and unquantized
    for row in rows:
        if row["bits_model"] is not None:
            assert row["bits_file"] == pytest.approx(row["bits_model"], rel=0.01)


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

"""`taskcodec benchmark` and `taskcodec report` as a shell sees them."""

import json

import numpy as np
import pytest

from tests.cli.commands import run
from tests.evaluation.benchmark.test_run import image_folder, save_features, save_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("benchmark")
    save_features(root / "toy ä.npz")
    image_folder(root / "one class", ("cat",), 3)
    save_image(image_folder(root / "lonely", count=3) / "bird" / "0.png", 10, 1)
    (root / "empty").mkdir()
    return root


def test_a_table_json_and_a_report(folder, tmp_path):
    arguments = ("benchmark", folder / "toy ä.npz", "--out", tmp_path, "--codecs", "taskcodec,sign", "--rates", "8,40")
    found = run(*arguments, "--jobs", "1")
    for says in ("toy ä: 90 samples", "raw features", "fitted", "8 bits", "40 bits", "taskcodec", "sign"):
        assert says in found.stdout
    assert "--fit-on" in found.stderr
    rows = json.loads((tmp_path / "results.json").read_text())
    keys = {"codec", "setting", "task", "metric", "samples", "bits_per_sample", "value", "low", "high", "raw_value"}
    assert isinstance(rows, list)
    assert keys <= set(rows[0])
    assert json.loads(run(*arguments, "--jobs", "1", "--json").stdout) == rows
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["command"][:2] == ["taskcodec", "benchmark"]
    assert {"numpy", "python"} <= set(record["versions"])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "taskcodec benchmark" in page
    assert list(tmp_path.glob("*.png"))
    assert "times the bits" in found.stdout or "never as good in its sweep" in found.stdout
    told = run("report", tmp_path, "--out", tmp_path / "again", "--title", "Once more")
    assert f"{len(rows)} rows" in told.stdout
    assert "Once more" in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")
    (tmp_path / "moved.json").write_bytes((tmp_path / "results.json").read_bytes())
    assert json.loads(run("report", tmp_path / "moved.json", "--json").stdout)["rows"] == len(rows)


@pytest.mark.parametrize(("rows", "says"), [(36, "36 tested samples"), (12, "fewer than 20 decide nothing")])
@pytest.mark.slow
def test_too_few_samples_to_tell_are_told_beside_the_numbers(tmp_path, rows, says):
    """No answer changes, so that the interval of the difference has no width."""
    save_features(tmp_path / "few.npz", rows=rows)
    arguments = ("benchmark", tmp_path / "few.npz", "--out", tmp_path / "out", "--codecs", "float16,int8")
    shown = run(*arguments, "--regime", "fitted").stdout
    told = [line for line in shown.splitlines() if line.startswith("few: class, accuracy: not enough data to tell: ")]
    assert len(told) == 1
    assert says in told[0]
    assert told[0] in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    found = run(*arguments, "--regime", "fitted", "--json")
    assert told[0] in found.stderr
    exact = next(row for row in json.loads(found.stdout) if row["codec"] == "float16")
    assert exact["difference_low"] == exact["difference_high"] == 0


def test_a_report_of_something_else_gives_one_clear_line(tmp_path):
    (tmp_path / "results.json").write_text('{"rows": []}')
    assert "a list of rows" in run("report", tmp_path, code=1).stderr
    assert "nothing" in run("report", tmp_path / "nothing.json", code=1).stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bits_per_sample": -8.0}, "bits_per_sample is -8.0, below 0"),
        ({"value": 7.0, "high": 8.0}, "value is 7, and accuracy is between 0 and 1"),
        ({"raw_value": -0.5}, "raw_value is -0.5, and accuracy"),
        ({"low": 0.9, "high": 0.1}, "an interval upside down: low 0.9, high 0.1"),
        ({"difference_low": 0.2, "difference_high": -0.2}, "an interval upside down: difference_low"),
        ({"metric": "r2", "value": 1.5}, "value is 1.5, and r2"),
        ({"metric": "log_loss", "low": -0.5}, "low is -0.5, and log_loss"),
        ({"samples": -1}, "samples is -1, below 0"),
    ],
)
@pytest.mark.slow
def test_rows_of_nonsense_are_not_drawn(tmp_path, change, says):
    row = {
        "regime": "fitted", "codec": "taskcodec", "setting": "8", "set": "toy", "task": "class", "metric": "accuracy",
        "probe": "ridge", "split": "3 folds", "samples": 90, "bits_per_sample": 8.0, "value": 0.9, "low": 0.8,
        "high": 0.95, "raw_value": 0.9, "difference": 0.0, "difference_low": -0.1, "difference_high": 0.1,
    }  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps([row, {**row, **change}]))
    found = run("report", tmp_path, code=1)
    assert f"row 1: {says}" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "report.html").exists()
    (tmp_path / "results.json").write_text(json.dumps([row, {**row, "metric": "r2", "value": -3.0, "low": -4.0}]))
    run("report", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{}/toy ä.npz", "--codecs", "magic"), 2, "known are all"),
        (("{}/toy ä.npz", "--rates", "0"), 2, "--rates"),
        (("{}/toy ä.npz", "--rates", "nan"), 2, "--rates"),
        (("{}/toy ä.npz", "--rates", "many"), 2, "--rates"),
        (("{}/toy ä.npz", "--rates", "40,1e12"), 2, "--rates 1e+12: more bits a sample than the 768"),
        (
            ("{}/toy ä.npz", "--rates", "1e-9", "--codecs", "step"),
            2,
            "--rates 1e-09: no codec gives any of them: no step",
        ),
        (("{}/toy ä.npz", "--split", "halves"), 2, "--split"),
        (("{}/toy ä.npz", "--split", "folders"), 2, "train/"),
        (("{}/toy ä.npz", "--probe", "magic"), 2, "--probe"),
        (("{}/nothing",), 1, "nothing"),
        (("{}/empty",), 1, "empty"),
        (("{}/one class",), 2, "two classes"),
        (("{}/lonely",), 2, "bird"),
    ],
)
def test_nonsense_gives_one_clear_line(folder, tmp_path, arguments, code, says):
    words = [argument.replace("{}", str(folder)) for argument in arguments]
    found = run("benchmark", *words, "--out", tmp_path, "--regime", "fitted", code=code)
    assert says in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_results_among_the_images_are_refused(folder):
    found = run("benchmark", folder / "lonely", "--out", folder / "lonely" / "out", code=2)
    assert "lies in the source" in found.stderr


@pytest.mark.slow
def test_tasks_from_a_table(folder, tmp_path):
    """A .npy of features has no folders: its labels, and which rows belong together, come from a table."""
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 2
    np.save(tmp_path / "x.npy", (3 * np.eye(2, 16)[kinds] + rng.normal(size=(60, 16))).astype("f4"))
    lines = [f"{i},k{kind},{i / 7:.3f},{i // 3}" for i, kind in enumerate(kinds)]
    (tmp_path / "y.csv").write_text("\n".join(["id,kind,age,house", *lines]))
    tables = ("--labels", f"{tmp_path}/y.csv:kind", "--labels", f"{tmp_path}/y.csv:age")
    more = ("--groups", f"{tmp_path}/y.csv:house", "--codecs", "int8", "--regime", "fitted", "--json")
    rows = json.loads(run("benchmark", tmp_path / "x.npy", "--out", tmp_path / "out", *tables, *more).stdout)
    assert {(row["task"], row["metric"], row["samples"]) for row in rows} == {
        ("kind", "accuracy", 20),
        ("age", "r2", 20),
    }
    shown = run(
        "benchmark", tmp_path / "x.npy", "--out", tmp_path / "out", *tables, *more[:-1], "--rates", "200"
    ).stdout
    age = next(row for row in rows if row["task"] == "age" and row["codec"] == "int8")
    head, _, line = shown.splitlines()[(at := shown[: shown.index("x: age, r2")].count("\n")) : at + 3]
    assert f"raw features: {age['raw_value']:.3f}" in head
    assert line.split() == ["int8", f"{age['value']:.3f}"]

"""`taskcodec evaluate` as a shell sees it."""

import csv
import json

import numpy as np
import pytest

from tests.cli.test_encode import run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 300)
    np.save(root / "x.npy", (3 * np.eye(2, 16)[classes] + rng.normal(size=(300, 16))).astype("f4"))
    with open(root / "y.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "class"), *((i, f"c{c}") for i, c in enumerate(classes))])
    run("encode", root / "x.npy", root / "x.tcz", "--bits", "60", "--labels", root / "y.csv")
    return root


def test_a_table_and_json(folder):
    arguments = ("evaluate", folder / "x.tcz", "--source", folder / "x.npy", "--delta", "3", "--folds", "3")
    table = run(*arguments).stdout
    for says in ("class", "ridge", "knn", "accuracy", "decoded - raw [95 %]", "3 deltas at the ends"):
        assert says in table
    found = run(*arguments, "--json", "--predictors", "ridge")
    rows = json.loads(found.stdout)
    keys = {"codec", "setting", "task", "metric", "samples", "bits_per_sample", "value", "low", "high", "raw_value"}
    assert keys <= set(rows[0])
    assert {row["verdict"] for row in rows} <= {"lossless within delta", "not lossless", "not enough data to tell"}
    assert (rows[0]["task"], rows[0]["metric"], rows[0]["delta"]) == ("label", "accuracy", 0.03)
    assert rows[0]["words"] in table
    assert "raw features" in found.stderr


def test_recall_is_told_with_labels_and_without(folder):
    arguments = ("evaluate", folder / "x.tcz", "--source", folder / "x.npy", "--folds", "3", "--predictors", "ridge")
    labelled, *_ = json.loads(run(*arguments, "--json").stdout)
    run("encode", folder / "x.npy", folder / "bare.tcz", "--bits", "60")
    (bare,) = json.loads(run("evaluate", folder / "bare.tcz", "--source", folder / "x.npy", "--json").stdout)
    assert (labelled["task"], bare["samples"]) == ("label", 300)
    assert "task" not in bare
    for content in (labelled, bare):
        recall = content["recall_at_10"]
        for nearness in ("cosine", "l2"):
            found = recall[nearness]
            assert 0.5 < found["low"] < found["value"] < found["high"] < 1
        assert recall["queries"] == 300
        assert 0.9 < content["variance_kept"] < 1
        assert 0.9 < content["mean_cosine"] < 1
    table = run("evaluate", folder / "bare.tcz", "--source", folder / "x.npy").stdout
    value = 100 * bare["recall_at_10"]["cosine"]["value"]
    assert f"recall@10      {value:.1f} % [" in table
    assert "(300 raw queries)" in table
    assert "variance kept" in table
    assert "no labels, so no predictors: --labels" in table


def test_a_loss_is_no_failure_of_the_command(folder):
    run("fit", folder / "x.npy", "-o", folder / "poor.codec", "--bits", "1")
    run("encode", folder / "x.npy", folder / "poor.tcz", "--codec", folder / "poor.codec", "--bits", "1")
    labels = ("--labels", folder / "y.csv", "--source", folder / "x.npy")
    assert "not lossless" in run("evaluate", folder / "poor.tcz", *labels).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{}/x.tcz",), 2, "--source"),
        (("{}/nothing",), 1, "nothing"),
        (("{}/x.npy", "--kind", "regression"), 2, "--labels"),
        (("{}/x.tcz", "--source", "{}/x.npy", "--labels", "{}/y.csv:age"), 1, "age"),
        (("{}/x.tcz", "--source", "{}/x.npy", "--predictors", "magic"), 2, "magic"),
        (("{}/x.tcz", "--source", "{}/x.npy", "--delta", "-1"), 2, "--delta"),
        (("{}/x.tcz", "--source", "{}/x.npy", "--split", "halves"), 2, "--split"),
        (("{}/x.tcz", "--source", "{}/x.npy", "--kind", "regression"), 2, "no number"),
    ],
)
def test_nonsense_gives_one_clear_line(folder, arguments, code, says):
    found = run("evaluate", *[argument.replace("{}", str(folder)) for argument in arguments], code=code)
    assert len(found.stderr.strip().splitlines()) == 1
    assert says in found.stderr


def test_the_rate_chosen_with_these_labels_is_not_measured_on_them(folder):
    labels = ("--labels", folder / "y.csv")
    run("fit", folder / "x.npy", "-o", folder / "t.codec", "--tolerance", "5", *labels)
    run("encode", folder / "x.npy", folder / "t.tcz", "--codec", folder / "t.codec", *labels)
    found = run("evaluate", folder / "t.tcz", "--source", folder / "x.npy", code=2)
    assert "fitted with the labels of these samples" in found.stderr

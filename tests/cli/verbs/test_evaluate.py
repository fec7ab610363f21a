"""`taskcodec evaluate` as a shell sees it."""

import csv
import json

import numpy as np
import pytest

from tests.cli.commands import run


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
        (("{}/x.tcz", "--source", "{}/x.npy", "--kind", "regression"), 2, "is not a number"),
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


@pytest.fixture(scope="module")
def viewed(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("certificate"), np.random.default_rng(0)
    x = rng.normal(size=(100, 12)).astype("f4")
    np.save(root / "x.npy", x)
    np.save(root / "views.npy", x + 0.05 * rng.normal(size=(40, 100, 12)).astype("f4"))
    run("encode", root / "x.npy", root / "x.tcz", "--bits", "60")
    return root


def test_a_certificate_in_words_in_json_and_in_the_store(viewed):
    arguments = ("evaluate", viewed / "x.tcz", "--certificate")
    words = run(*arguments, "--views", viewed / "views.npy").stdout
    for says in ("no task that ignores the augmentations loses more than", "95 % confidence", "views.npy"):
        assert says in words
    found = run(*arguments, "--json")
    content = json.loads(found.stdout)
    assert 0 < content["excess_risk_bound_bits"] < 0.1
    assert content["confidence"] == 0.95
    assert {"augmentations", "conditions", "samples", "views", "estimate_bits"} <= set(content)
    assert "kept in" in found.stderr
    run("verify", viewed / "x.tcz")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{}/x.tcz", "--certificate", "--source", "{}/x.npy"), 2, "--views"),
        (("{}/x.tcz", "--certificate", "--views", "{}/x.npy"), 1, "views of shape"),
        (("{}/x.tcz", "--certificate", "--views", "{}/none.npy"), 1, "none.npy"),
        (("{}/x.tcz", "--certificate", "--labels", "y.csv"), 2, "--labels"),
        (("{}/x.tcz", "--certificate", "--views", "{}/views.npy", "--pairs", "9"), 2, "all views in"),
        (("{}/x.tcz", "--certificate", "--pairs", "9"), 2, "--pairs 9: says how many views are made of a --source"),
        (
            ("{}/x.tcz", "--certificate", "--source", "{}/x.npy", "--augmentations", "none", "--pairs", "9"),
            2,
            "--pairs",
        ),
        (("{}/x.tcz", "--pairs", "9"), 2, "--certificate"),
        (("{}/x.npy", "--certificate"), 1, "encode it first"),
        (("{}/nothing", "--certificate"), 1, "nothing"),
    ],
)
def test_nonsense_about_certificates_gives_one_clear_line(viewed, arguments, code, says):
    found = run("evaluate", *[argument.replace("{}", str(viewed)) for argument in arguments], code=code)
    assert len(found.stderr.strip().splitlines()) == 1
    assert says in found.stderr

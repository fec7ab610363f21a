"""`taskcodec limits`."""

import json

import numpy as np
import pytest

from tests.cli.commands import refused, run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(300, 12)).astype("f4"))
    classes = np.arange(300) % 3
    np.save(folder / "classes.npy", 4 * np.eye(3, 12)[classes] + np.load(folder / "x.npy"))
    lines = [f"{row},{name}" for row, name in enumerate(classes) if row]
    (folder / "classes.csv").write_text("\n".join(["id,class", *lines]))
    (folder / "numbers.csv").write_text("\n".join(["id,class", *(f"{row},{row / 7}" for row in range(300))]))
    (folder / "others.csv").write_text("id,class\nzebra,0\n")
    (folder / "one.csv").write_text("\n".join(["id,class", *(f"{row},same" for row in range(300))]))
    np.save(folder / "same.npy", np.ones((40, 12), "f4"))
    return folder


def test_json_has_the_points(place):
    found = json.loads(run("limits", place / "x.npy", "--bits", "10,20", "--no-peers", "--json").stdout)
    assert found["dimension"] == 12
    assert found["samples"] == 300
    assert "upper bound" in found["method"]
    assert len(found["points"]) == 2
    assert found["peers"] == []
    for point in found["points"]:
        assert 0 < point["rate_upper_bits"] < point["codec_bits"]
        assert point["rate_lower_bits"] is None
        assert point["distortion"] > 0


def test_what_is_left_out_is_told_and_so_is_a_rate_that_cannot_be_had(place, tmp_path):
    x = np.load(place / "x.npy")
    x[7], x[9, 3] = np.nan, np.inf
    np.save(tmp_path / "gaps.npy", x)
    found = run("limits", tmp_path / "gaps.npy", "--bits", "20", "--no-peers", "--json")
    assert "2 samples are left out: 7: NaN or infinity" in found.stderr
    assert ", 9: NaN or infinity" in found.stderr
    assert json.loads(found.stdout)["samples"] == 298
    np.save(tmp_path / "many.npy", np.random.default_rng(1).normal(size=(1000, 12)).astype("f4"))
    none = run("limits", tmp_path / "many.npy", "--bits", "1e9", "--no-peers", "--json", code=1)
    assert "these data take at most" in none.stderr
    assert json.loads(none.stdout)["points"] == []


def test_lines_and_files(place, tmp_path):
    told = run("limits", place / "x.npy", "--bits", "20", "-o", tmp_path / "out").stdout
    assert "bits (KLT)" in told
    assert "above the best known bound" in told
    assert "granular loss" in told
    assert "no lower bound" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"limits.json", "limits.svg"}


def test_json_of_a_task_has_the_same_keys(tmp_path):
    classes = np.arange(64) % 3
    np.save(tmp_path / "x.npy", 2 * np.eye(3, 6)[classes] + np.random.default_rng(0).normal(size=(64, 6)))
    (tmp_path / "y.csv").write_text("\n".join(["id,class", *(f"{row},{name}" for row, name in enumerate(classes))]))
    arguments = ("limits", tmp_path / "x.npy", "--task", "--labels", tmp_path / "y.csv", "--bits", "3", "--no-peers")
    found = json.loads(run(*arguments, "--json").stdout)
    assert (found["dimension"], found["samples"]) == (6, 64)
    assert "information bottleneck" in found["method"]
    (point,) = found["points"]
    assert point["distortion"] > 0  # excess log loss
    assert 0 < point["rate_lower_bits"] < point["rate_upper_bits"] < point["codec_bits"]
    assert point["rate_lower_bits"] == pytest.approx(found["information_bits"] - point["distortion"])
    assert f", at least {point['rate_lower_bits']:.2f} +- " in run(*arguments).stdout


@pytest.mark.slow
def test_a_task(place, tmp_path):
    arguments = ("limits", place / "classes.npy", "--task", "--labels", place / "classes.csv", "--bits", "12")
    told = run(*arguments, "-o", tmp_path / "out").stdout
    assert "3 classes" in told
    assert "bits would do for this task alone" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"limits.json", "limits.svg"}
    found = json.loads(run(*arguments, "--no-peers", "--json").stdout)
    (point,) = found["points"]
    assert point["rate_upper_bits"] < 2 < point["codec_bits"]
    assert found["samples"] == 299  # one has no label


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("same.npy",), 1, "16 samples or more that differ"),
        (("x.npy", "--bits", "many"), 2, "128,512"),
        (("x.npy", "--bits", "-3"), 2, "--bits must be positive"),
        (("x.npy", "--bits", ""), 2, "empty name"),
        (("none.npy",), 1, "none.npy"),
        (("x.npy", "--source", "x.npy"), 2, "go with a store"),
        (("x.npy", "--backbone", "lite0"), 2, "--backbone lite0"),
        (("x.npy", "--task"), 2, "no labels"),
        (("classes.npy", "--task", "--labels", "none.csv"), 1, "none.csv"),
        (("classes.npy", "--labels", "classes.csv"), 2, "--labels goes with --task"),
        (("classes.npy", "--task", "--companded"), 2, "--companded is of squared errors"),
    ],
)
def test_one_clear_line(place, arguments, code, says):
    refused(place, "limits", place / arguments[0], *arguments[1:], code=code, says=[says])


@pytest.mark.parametrize(("labels", "says"), [("others.csv", "none of its 1 id is"), ("one.csv", "two classes")])
def test_labels_that_are_no_task(place, labels, says):
    refused(place, "limits", place / "classes.npy", "--task", "--labels", place / labels, code=1, says=[labels, says])


def test_numbers_are_no_classes(place):
    arguments = ("limits", place / "x.npy", "--task", "--labels", place / "numbers.csv")
    refused(place, *arguments, code=2, says=["of the kind regression; log loss is of classes"])


def test_an_output_that_is_a_file(place, tmp_path):
    (tmp_path / "out").write_text("mine")
    refused(place, "limits", place / "x.npy", "--bits", "20", "-o", tmp_path / "out", code=1, says=["out"])
    assert (tmp_path / "out").read_text() == "mine"

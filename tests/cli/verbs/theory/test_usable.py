"""`taskcodec usable`."""

import csv
import json

import numpy as np
import pytest

import taskcodec
from tests.cli.commands import refused, run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usable")
    x = np.random.default_rng(0).normal(size=(200, 8)).astype("f4")
    taskcodec.encode(x, str(folder / "x.tcz"), bits=40)
    with open(folder / "y.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("id", "sign"), *((i, "plus" if row[0] > 0 else "minus") for i, row in enumerate(x))]
        )
    return folder


def test_a_line_or_json(place):
    arguments = ("usable", place / "x.tcz", "--labels", place / "y.csv", "--folds", "2", "--families", "linear")
    told = run(*arguments).stdout
    assert "sign, layer base (" in told
    assert "bits usable, 200 samples" in told
    (row,) = json.loads(run(*arguments, "--json").stdout)["rows"]
    assert 0.2 < row["usable_bits"]["low"] < row["usable_bits"]["value"] < row["usable_bits"]["high"] < 1
    assert row["entropy_bits"] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--families", "forest"), 2, "--families must be one of linear, mlp"),
        (("--labels", "none.csv"), 1, "none.csv"),
        ((), 2, "no labels"),
    ],
)
def test_what_is_wrong_takes_one_line(place, arguments, code, says):
    refused(place, "usable", place / "x.tcz", *arguments, code=code, says=[says])


@pytest.mark.parametrize(("name", "says"), [("none.codec", "no such codec"), ("y.csv", "neither a taskcodec codec")])
def test_what_is_no_codec_is_at_fault_itself(place, name, says):
    refused(place, "usable", place / name, code=1, says=[name, says])

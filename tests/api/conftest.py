"""What the tests of calls from Python start from."""

import csv

import numpy as np
import pytest

from tests.cli.commands import run

D = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """x.npy with a faulty row, its store x.tcz, and its labels y.csv."""
    place = tmp_path_factory.mktemp("api")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 300)
    x = (4 * np.eye(3, D)[classes] + rng.normal(size=(300, D))).astype("f4")
    x[7, 3] = np.nan
    np.save(place / "x.npy", x)
    with open(place / "y.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "class"), *((i, f"c{c}") for i, c in enumerate(classes))])
    run("encode", place / "x.npy", place / "x.tcz", "--bits", "60", "--labels", place / "y.csv")
    return place

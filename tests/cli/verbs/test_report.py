"""`taskcodec report`."""

import json

import numpy as np
import pytest

from taskcodec.evaluation.rates.curves import as_records
from tests.cli.commands import refused, run
from tests.evaluation.report.test_write import usual


@pytest.fixture
def place(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(as_records(usual())))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(120, 8)).astype("f4"))
    run("limits", tmp_path / "x.npy", "--bits", "8", "--no-peers", "-o", tmp_path / "limits")
    return tmp_path


def test_limits_that_are_named_or_lie_beside_the_results(place):
    run("report", place, "-o", place / "none")
    assert "How far from the limit" not in (place / "none" / "report.html").read_text("utf-8")
    run(
        "report", place, "--limits", place / "limits", "--limits", place / "limits" / "limits.json", "-o", place / "two"
    )
    assert (place / "two" / "report.html").read_text("utf-8").count("data:image/svg+xml") == 2
    (place / "limits" / "limits.json").rename(place / "limits.json")
    run("report", place, "-o", place / "beside")
    assert "How far from the limit" in (place / "beside" / "report.html").read_text("utf-8")


def test_limits_that_are_none(place):
    refused(place, "report", place, "--limits", place / "results.json", code=1, says=["taskcodec limits -o"])

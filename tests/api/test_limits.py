"""`taskcodec.limits`: from arrays, sources and stores."""

import json
from dataclasses import asdict

import numpy as np
import pytest

import taskcodec
from taskcodec.api.limits import write_limits
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.limits.of_features import LimitsPlan

PLAN = LimitsPlan((10.0, 20.0), peers=False)


def test_a_source_and_its_array_give_the_same(folder):
    x = np.load(folder / "x.npy")
    by_name = taskcodec.limits(folder / "x.npy", plan=PLAN)
    assert by_name.points == taskcodec.limits(x[np.isfinite(x).all(axis=1)], plan=PLAN).points
    assert len(by_name.points) == 2
    assert by_name.samples == 299  # one row is faulty


def test_a_store_needs_what_it_was_made_of(folder):
    with pytest.raises(UsageError, match="--source"):
        taskcodec.limits(folder / "x.tcz", plan=PLAN)
    found = taskcodec.limits(folder / "x.tcz", of=folder / "x.npy", plan=PLAN)
    assert sorted(point.codec for point in found.points) == ["fitted", "fitted", "store"]
    with pytest.raises(UsageError, match="go with a store"):
        taskcodec.limits(folder / "x.npy", of=folder / "x.npy")


def test_what_is_not_there(tmp_path):
    with pytest.raises(SourceError, match="none"):
        taskcodec.limits(tmp_path / "none")


def test_files(folder, tmp_path):
    found = taskcodec.limits(folder / "x.npy", plan=PLAN)
    write_limits(found, tmp_path / "new" / "out")
    assert json.loads((tmp_path / "new" / "out" / "limits.json").read_text()) == json.loads(json.dumps(asdict(found)))
    assert (tmp_path / "new" / "out" / "limits.svg").read_text().startswith("<?xml")

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


@pytest.mark.slow
def test_a_task_of_a_store_and_of_its_source(tmp_path):
    """By the labels that a source or a store has, or by a table; the store's codec stands among the others."""
    y = np.arange(200) % 3
    x = (4 * np.eye(3, 12)[y] + np.random.default_rng(0).normal(size=(200, 12))).astype("f4")
    np.save(tmp_path / "x.npy", x)
    table = tmp_path / "y.csv"
    table.write_text("id,class\n" + "".join(f"{row},{name}\n" for row, name in enumerate(y)))
    by_name = taskcodec.task_limits(tmp_path / "x.npy", labels=table, plan=PLAN)
    assert by_name.points == taskcodec.task_limits(x, labels=y, plan=PLAN).points
    taskcodec.encode(tmp_path / "x.npy", tmp_path / "x.tcz", bits=20, labels=str(table))
    found = taskcodec.task_limits(tmp_path / "x.tcz", of=tmp_path / "x.npy", plan=PLAN)
    assert sorted(point.codec for point in found.points) == ["fitted", "fitted", "store"]
    assert [point for point in found.points if point.codec == "fitted"] == list(by_name.points)
    write_limits(found, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "limits.json").read_text())["classes"] == 3


def test_what_is_no_task(folder):
    for labels, says in ((None, "one for each"), ("y.csv", "one for each")):
        with pytest.raises(UsageError, match=says):
            taskcodec.task_limits(np.eye(20), labels=labels)
    with pytest.raises(UsageError, match="are named"):
        taskcodec.task_limits(folder / "x.npy", labels=[0, 1])
    with pytest.raises(UsageError, match="no labels"):
        taskcodec.task_limits(folder / "x.npy")

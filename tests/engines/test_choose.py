"""Engines by name."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError
from tests.cli.commands import refused
from tests.engines.encode.vectors import low_rank


@pytest.fixture
def vectors(tmp_path):
    np.save(tmp_path / "x.npy", low_rank(100))
    return tmp_path / "x.npy"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--engine", "spark"), "--engine spark: local, ray or ray:ADDRESS is expected"),
        (("--engine", "local:8"), "--engine local:8"),
        (("--workers", "2"), "--workers goes with --engine ray"),
    ],
)
def test_engines_that_are_none(vectors, options, says):
    refused(vectors.parent, "encode", vectors, vectors.parent / "s.tcz", *options, code=2, says=[says])


def test_what_a_cluster_cannot_reach_is_refused(vectors):
    with pytest.raises(UsageError, match="--workers must be at least 1"):
        taskcodec.encode(str(vectors), "s.tcz", engine="ray", workers=0)
    with pytest.raises(UsageError, match="not to memory"):
        taskcodec.encode(str(vectors), "memory://s.tcz", engine="ray")


def test_local_by_default(vectors, tmp_path):
    whole = taskcodec.encode(str(vectors), tmp_path / "a.tcz")
    again = taskcodec.encode(str(vectors), tmp_path / "b.tcz", engine="local")
    assert whole.manifest == again.manifest

"""Vectors, a codec of them, and a store."""

import numpy as np
import pytest

import taskcodec
from tests.store.written import D, N, write


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N, 5)) @ rng.normal(size=(5, D)) + 0.3 * rng.normal(size=(N, D))).astype("f4")


@pytest.fixture(scope="module")
def codec(x):
    return taskcodec.fit(x, bits=60)


@pytest.fixture(scope="module")
def store(tmp_path_factory, codec, x):
    return taskcodec.open(write(tmp_path_factory.mktemp("s") / "x.tcz", codec, x))

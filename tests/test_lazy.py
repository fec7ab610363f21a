"""Names that are imported when they are asked for."""

import subprocess
import sys

import pytest

import taskcodec
from taskcodec import store
from taskcodec.lazy import lazily


@pytest.mark.parametrize("package", [taskcodec, store])
def test_every_name_is_there_and_no_other(package):
    for name in package.__all__:
        assert getattr(package, name).__class__ is not type(package), name
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_a_name_is_looked_up_once():
    find = lazily(__name__, {"dumps": "json"})
    assert find("dumps") is globals()["dumps"]


def test_a_package_loads_no_more_than_is_asked_for():
    script = "import sys, taskcodec, taskcodec.store; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {"numpy", "pyarrow", "zarr", "taskcodec.store.reader"}.isdisjoint(loaded)

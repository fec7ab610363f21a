"""Shared fixtures."""

import os

# As many processes run side by side as there are cores: more threads in each would wait for one another. It is said
# before numpy and torch start theirs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest
import zarr.registry

from taskcodec.store import AnsCodec, PacketCodec
from taskcodec.store.places import faults
from tests import ROOT

for name, codec in (("taskcodec.ans", AnsCodec), ("taskcodec.packets", PacketCodec)):
    try:
        zarr.registry.get_codec_class(name)
    except KeyError:  # a checkout that is not installed has no entry point
        zarr.registry.register_codec(name, codec)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TASKCODEC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set TASKCODEC_DATA)")
    return folder


@pytest.fixture(scope="session")
def _s3_server():
    """One server for all tests of a process; see `tests/s3.py`."""
    pytest.importorskip("moto")
    from tests.s3 import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def s3(_s3_server):
    """An S3 server on loopback, with an empty bucket for this test."""
    return _s3_server.new_bucket()


@pytest.fixture(params=["s3", "memory"])
def url(request, tmp_path):
    """Where a store may lie under a URL: in a bucket, and in memory."""
    if request.param == "s3":
        return request.getfixturevalue("s3").url("stores/s.tcz")
    return f"memory://stores/{tmp_path.name}/s.tcz"


@pytest.fixture
def impatient(monkeypatch):
    """Waits between attempts of a thousandth."""
    monkeypatch.setattr(faults, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(faults, "LONGEST_WAIT", 0.002)

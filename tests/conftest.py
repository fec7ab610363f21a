"""Shared fixtures."""

import os
from pathlib import Path

import pytest
import zarr.registry

from taskcodec.store import AnsCodec
from tests import ROOT

try:
    zarr.registry.get_codec_class("taskcodec.ans")
except KeyError:  # a checkout that is not installed has no entry point
    zarr.registry.register_codec("taskcodec.ans", AnsCodec)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TASKCODEC_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set TASKCODEC_DATA)")
    return folder

"""What commands are asked of."""

import numpy as np
import pytest

from tests.cli.commands import run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """x.npy, and a store of it."""
    folder = tmp_path_factory.mktemp("strange")
    x = np.random.default_rng(0).normal(size=(300, 8)).astype("f4")
    np.save(folder / "x.npy", x)
    np.save(folder / "flat.npy", np.ones((300, 8), "f4"))
    np.save(folder / "nan.npy", np.full((300, 8), np.nan, "f4"))
    run("encode", folder / "x.npy", folder / "x.tcz", "--bits", "20")
    (folder / "photo.npy").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (folder / "a.csv").write_text("id,label\n0,cat\n1,dog\n")
    return folder

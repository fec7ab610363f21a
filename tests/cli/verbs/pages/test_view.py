"""`taskcodec view` from the command line."""

import json

import numpy as np

import taskcodec
from tests.cli.commands import run


def test_tells_what_it_wrote(tmp_path):
    taskcodec.encode(np.random.default_rng(0).normal(size=(50, 8)).astype("f4"), tmp_path / "s.tcz")
    told = run("view", tmp_path / "s.tcz", "-o", tmp_path / "p.html").stdout
    assert "p.html: 50 of 50 samples, 0 with a picture\nno layer of pictures is in it" in told
    assert json.loads(run("view", tmp_path / "s.tcz", "-o", tmp_path / "p.html", "--json").stdout)["shown"] == 50
    run("view", tmp_path / "none.tcz", "-o", tmp_path / "p.html", code=1)

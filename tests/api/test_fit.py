"""`taskcodec.fit_source`: what the command fits, from Python."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError
from tests.cli.commands import run


def test_a_source_by_name_gives_the_codec_of_the_command(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(400, 8)).astype("f4"))
    for options, given in (
        ({}, ()),
        ({"bits": 20}, ("--bits", "20")),
        ({"step": 0.5}, ("--step", "0.5")),
        ({"effort": 3}, ("--effort", "3")),
    ):
        told = run("fit", tmp_path / "x.npy", "-o", tmp_path / "x.codec", *given).stderr
        found = taskcodec.fit_source(tmp_path / "x.npy", taskcodec.FitOptions(**options))
        assert found.codec.to_bytes() == (tmp_path / "x.codec").read_bytes()
        assert "".join(f"taskcodec: {note}\n" for note in found.notes) == told
    for options in ({"bits": 20, "step": 1}, {"method": "no"}, {"kind": "regression"}, {"views": True}, {"effort": 0}):
        with pytest.raises(UsageError):
            taskcodec.fit_source(tmp_path / "x.npy", taskcodec.FitOptions(**options))

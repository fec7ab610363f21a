"""The plot of limits."""

import numpy as np

from taskcodec.evaluation.limits.of_features import LimitsPlan, limits_of_features
from taskcodec.evaluation.limits.plot import write_plot


def test_the_same_limits_give_the_same_bytes(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 12)).astype("f4")
    found = limits_of_features("a $ and & in a name", x, LimitsPlan((10.0, 30.0)))
    write_plot(found, tmp_path / "a.svg")
    write_plot(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    text = (tmp_path / "a.svg").read_text()
    assert "best known upper bound" in text
    assert "taskcodec, real bytes" in text
    assert "KLT" in text
    assert "zstd int8" in text

"""The plot of limits."""

import numpy as np
import pytest

from taskcodec.evaluation.limits.of_features import LimitsPlan, limits_of_features
from taskcodec.evaluation.limits.of_tasks import limits_of_task
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


@pytest.mark.slow
def test_a_task(tmp_path):
    y = np.arange(300) % 3
    x = 4 * np.eye(3, 12)[y] + np.random.default_rng(0).normal(size=(300, 12))
    found = limits_of_task("classes", x, y, LimitsPlan((10.0, 30.0)))
    write_plot(found, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    for words in ("bits of excess log loss", "best known upper bound", "taskcodec, real bytes", "KLT"):
        assert words in text

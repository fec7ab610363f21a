"""Limits on a report's page."""

import json

import numpy as np
import pytest

import taskcodec
from taskcodec.api.limits import write_limits
from taskcodec.errors import SourceError
from taskcodec.evaluation.limits.of_features import LimitsPlan
from taskcodec.evaluation.report.diagnosis import Extras
from taskcodec.evaluation.report.limits import limits_section, read_limits
from taskcodec.evaluation.report.write import write_report
from tests.evaluation.report.test_write import Page, usual


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Of squared errors, and of a task."""
    folder, y = tmp_path_factory.mktemp("limits"), np.arange(240) % 3
    x = (4 * np.eye(3, 12)[y] + np.random.default_rng(0).normal(size=(240, 12))).astype("f4")
    plan = LimitsPlan((12.0,))
    write_limits(taskcodec.limits(x, plan=plan), folder / "errors")
    write_limits(taskcodec.task_limits(x, labels=y, plan=plan), folder / "task")
    return folder


@pytest.mark.slow
def test_the_page_says_what_the_file_says(written, tmp_path):
    pictures = tuple(read_limits(written / name) for name in ("errors", "task"))
    page = Page(write_report(usual(), tmp_path, title="T", extras=Extras(limits=pictures)).read_text("utf-8"))
    words = " ".join(" ".join(page.words).replace("\u00a0", " ").split())
    found = json.loads((written / "errors" / "limits.json").read_text())
    (point,) = found["points"]
    assert f"{point['distortion']:.4g}" in words
    assert f"{point['above_bits']:+,.1f} ({point['above_percent']:+,.0f} %)" in words
    assert f"{point['granular_bits']:.1f}" in words
    assert found["method"] in words
    assert "KLT" in words
    assert "bits of excess log loss" in words
    assert page.tags.count("img") == 2
    links = [value for _, key, value in page.attributes if key == "src"]
    assert all(link.startswith("data:image/svg+xml;base64,") for link in links)


def test_without_a_plot_the_table_stays(written, tmp_path):
    (tmp_path / "limits.json").write_text((written / "task" / "limits.json").read_text())
    text = limits_section([read_limits(tmp_path / "limits.json")])
    assert "<img" not in text
    assert "taskcodec" in text
    assert limits_section([]) == ""


def test_what_was_written_earlier_is_read(tmp_path):
    point = {"codec": "fitted", "excess_bits": 0.25, "codec_bits": 12.0, "rate_upper_bits": 2.0}
    found = {"name": "x", "method": "m", "classes": 3, "points": [point], "peers": []}
    (tmp_path / "limits.json").write_text(json.dumps(found))
    (row,) = read_limits(tmp_path).rows
    assert (row.error, row.bound_bits) == (0.25, 2.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: [], "no name and method"),
        (lambda found: found | {"errors_of": None}, "no errors_of"),
        (lambda found: found | {"points": {}}, "no list of points"),
        (lambda found: found | {"peers": [{"codec": "x"}]}, "distortion None"),
        (
            lambda found: found | {"points": [found["points"][0] | {"rate_upper_bits": "many"}]},
            "rate_upper_bits 'many'",
        ),
        (lambda found: found | {"points": [found["points"][0] | {"codec": 3}]}, "codec 3"),
        (lambda found: found | {"points": [found["points"][0] | {"codec_bits": float("nan")}]}, "codec_bits nan"),
    ],
)
def test_other_files_are_refused(written, tmp_path, change, says):
    found = json.loads((written / "errors" / "limits.json").read_text())
    (tmp_path / "limits.json").write_text(json.dumps(change(found)))
    with pytest.raises(SourceError, match=says):
        read_limits(tmp_path)


def test_hostile_names_stay_words(written, tmp_path):
    found = json.loads((written / "errors" / "limits.json").read_text()) | {"name": "<b>x</b>"}
    (tmp_path / "limits.json").write_text(json.dumps(found))
    assert "<b>" not in limits_section([read_limits(tmp_path)])
    with pytest.raises(SourceError, match="cannot be read"):
        read_limits(tmp_path / "none")

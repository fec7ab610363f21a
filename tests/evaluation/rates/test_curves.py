import json

import numpy as np
import pytest

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.rates.curves import (
    MEAN_SET,
    Point,
    as_records,
    at_rate,
    curve,
    mean_rows,
    read_rows,
    rows,
    table,
)
from taskcodec.evaluation.scores.intervals import Scores


def point(codec, bits, right, regime="zero-shot"):
    found = Scores(np.arange(100), np.ones(100), (np.arange(100) < right).astype(float), "accuracy")
    return Point(regime, codec, f"{bits}", {"toy": float(bits)}, {("toy", "class"): found})


RAW = point("float32", 4096, 90)
POINTS = [
    RAW,
    *(point("PQ", b, r) for b, r in ((64, 60), (256, 80))),
    *(point("taskcodec", b, r) for b, r in ((64, 80), (128, 86))),
]


def test_rates_between_settings_are_interpolated_in_log_rate():
    line = curve(POINTS, "zero-shot", "PQ")
    assert [p.mean_bits for p in line] == [64, 256]
    found = at_rate(line, 128)
    assert found is not None
    assert found[0].value == pytest.approx(0.7)
    assert at_rate(line, 300) is None
    assert at_rate(line, 63.5) is not None
    with pytest.raises(UsageError, match="no points"):
        at_rate([], 64)


def test_table():
    cells = table(POINTS, RAW, [64, 128, 1024])
    found = {(cell.codec, cell.rate_bits): cell for cell in cells}
    assert set(found) == {("float32", 4096), ("PQ", 64), ("PQ", 128), ("taskcodec", 64), ("taskcodec", 128)}
    assert found["taskcodec", 128].difference.value == pytest.approx(-0.04)


def test_rows_are_plain_records():
    records = as_records(rows(POINTS, RAW, "ridge", "3 folds"))
    assert len(records) == len(POINTS)
    assert json.loads(json.dumps(records))[1]["raw_value"] == 0.9


def test_means_over_sets_are_rows_too_where_all_sets_were_measured():
    def on(codec, bits, **right):
        found = {
            (name, "class"): Scores(np.arange(100), np.ones(100), (np.arange(100) < count).astype(float), "accuracy")
            for name, count in right.items()
        }
        return Point("zero-shot", codec, "", dict.fromkeys(right, bits), found)

    raw, half = on("float32", 4096.0, a=90, b=80), on("PQ", 64.0, a=70)
    (found,) = mean_rows([on("sign", 100.0, a=80, b=60), half], raw, "ridge")
    assert (found.set, found.codec, found.samples, found.bits_per_sample) == (MEAN_SET, "sign", 200, 100)
    assert (found.value, found.raw_value, found.difference) == pytest.approx((0.7, 0.85, -0.15))
    assert found.difference_low < -0.15 < found.difference_high < 0
    assert mean_rows([half], on("float32", 4096.0, a=90), "ridge") == [], "one set is its own mean"
    words = rows([half], raw, "ridge", {"a": "by folder", "b": "3 folds"})
    assert [row.split for row in words] == ["by folder"]


def test_tasks_of_one_set_are_no_more_samples_than_one():
    def on(right, *tasks):
        scores = Scores(np.arange(100), np.ones(100), (np.arange(100) < right).astype(float), "accuracy")
        return Point("zero-shot", "PQ", "", {"a": 64.0}, {("a", task): scores for task in tasks})

    (twice,) = mean_rows([on(70, "one", "two")], on(90, "one", "two"), "ridge")
    (once,) = rows([on(70, "one")], on(90, "one"), "ridge", "3 folds")
    assert (twice.samples, twice.low, twice.high) == (100, once.low, once.high)
    assert (twice.difference_low, twice.difference_high) == (once.difference_low, once.difference_high)


def test_rows_are_read_back_and_anything_else_is_refused(tmp_path):
    found = rows(POINTS, RAW, "ridge", "3 folds")
    file = tmp_path / "results.json"
    file.write_text(json.dumps(as_records(found)))
    assert read_rows(file) == found
    file.write_text(json.dumps([{**as_records(found)[0], "verdict": "more"}]))
    assert read_rows(file) == found[:1]
    for text, says in (
        ("[", "JSON"),
        ("{}", "a list of rows"),
        ("[]", "a list of rows"),
        ("[" * 100_000, "JSON"),
        (json.dumps([{**as_records(found)[0], "value": "high"}]), "row 0: value is 'high'"),
        (json.dumps([{**as_records(found)[0], "value": 1e308}]), "row 0: value"),
        (json.dumps([{**as_records(found)[0], "codec": "\ud800"}]), "row 0: codec"),
        (json.dumps([{**as_records(found)[0], "samples": -1}]), "row 0: samples is -1, below 0"),
        (json.dumps([{**as_records(found)[0], "low": 2.0, "high": -1.0}]), "upside down"),
    ):
        file.write_text(text)
        with pytest.raises(SourceError, match=says):
            read_rows(file)

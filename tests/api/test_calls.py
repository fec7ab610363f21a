"""The package's own names: what commands do is one call of them, with the same result."""

import io
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import SourceError, TaskcodecError, UsageError
from taskcodec.evaluation.survival.of_store import StorePlan
from taskcodec.store import SampleRecord, StoreWriter, pack_zip
from tests.api.conftest import D
from tests.cli.commands import run


def test_every_name_is_there():
    for name in taskcodec.__all__:
        assert getattr(taskcodec, name) is not None
        assert name in dir(taskcodec)


def test_a_feature_codec_is_imported_by_its_name():
    from taskcodec import FeatureCodec
    from taskcodec.fitting.closed_form.feature_codec import FeatureCodec as home

    assert FeatureCodec is home


def test_decode_gives_what_the_command_writes(folder, tmp_path):
    run("decode", folder / "x.tcz", "-o", tmp_path / "d.npy")
    found = taskcodec.decode(folder / "x.tcz")
    assert found.dtype == np.float32
    assert np.allclose(found, np.load(tmp_path / "d.npy"), atol=1e-5)
    pack_zip(folder / "x.tcz", tmp_path / "x.zip")
    for place in (str(tmp_path / "x.zip"), f"file://{folder}/x.tcz"):
        assert np.array_equal(taskcodec.decode(place), found)
    with pytest.raises(SourceError, match="no such file or folder"):
        taskcodec.decode(tmp_path / "none")


def test_decode_refuses_what_is_unfinished_as_the_command_does(folder):
    codec, place = taskcodec.load_codec(folder / "x.tcz"), MemoryStore()
    with StoreWriter.create(place, codec, chunk_rows=10) as writer:
        writer.append(np.zeros((10, codec.columns), np.int32), [SampleRecord(str(i), i, 1) for i in range(10)])
    with pytest.raises(SourceError, match="unfinished; run the same encode command again"):
        taskcodec.decode(place)


def test_evaluate_gives_the_rows_of_the_command(folder):
    plan = StorePlan(predictors=("ridge",), folds=3, repeats=1)
    found = taskcodec.evaluate(folder / "x.tcz", source=folder / "x.npy", plan=plan)
    command = ("evaluate", folder / "x.tcz", "--source", folder / "x.npy", "--predictors", "ridge")
    rows = json.loads(run(*command, "--folds", "3", "--repeats", "1", "--json").stdout)
    assert [(row.task, row.metric, row.value) for row in found.rows] == [
        (row["task"], row["metric"], row["value"]) for row in rows
    ]
    named = taskcodec.evaluate(
        folder / "x.tcz",
        labels=f"{folder}/y.csv:class",
        source=folder / "x.npy",
        plan=replace(plan, kinds="classification"),
    )
    assert [row.value for row in named.rows] == [row.value for row in found.rows]


STRANGE = {
    "array": np.zeros((20, D), np.float32),
    "none": None,
    "paths": [Path("x.npy"), Path("y.npy")],
    "image": Image.new("RGB", (9, 9)),
    "bytes": b"x.npy",
    "number": 3,
    "table": {"x": 1},
    "file": io.BytesIO(b"x"),
    "nothing": "",
}
NAMED = {
    "encode": lambda folder, given: taskcodec.encode(STRANGE["array"], given),
    "open": lambda folder, given: taskcodec.open(given),
    "decode": lambda folder, given: taskcodec.decode(given),
    "load_codec": lambda folder, given: taskcodec.load_codec(given),
    "features": lambda folder, given: taskcodec.features(given),
    "fit_source": lambda folder, given: taskcodec.fit_source(given),
    "evaluate": lambda folder, given: taskcodec.evaluate(given),
    "benchmark": lambda folder, given: taskcodec.benchmark(given, folder / "out"),
    "save": lambda folder, given: taskcodec.load_codec(folder / "x.tcz").save(given),
    "to_parquet": lambda folder, given: taskcodec.open(folder / "x.tcz").to_parquet(given),
}
"""Calls that take a name there."""
OPTIONS = {
    "source of evaluate": lambda folder, given: taskcodec.evaluate(folder / "x.tcz", source=given),
    "raw of evaluate": lambda folder, given: taskcodec.evaluate(folder / "x.tcz", raw=given),
    "plan of evaluate": lambda folder, given: taskcodec.evaluate(folder / "x.tcz", source=folder / "x.npy", plan=given),
    "options of fit_source": lambda folder, given: taskcodec.fit_source(folder / "x.npy", given),
    "plan of benchmark": lambda folder, given: taskcodec.benchmark(folder / "x.npy", folder / "out", given),
    "out of benchmark": lambda folder, given: taskcodec.benchmark(folder / "x.npy", given),
    "codec of adapt": lambda folder, given: taskcodec.adapt(given, STRANGE["array"]),
    "codec of at_bits": lambda folder, given: taskcodec.at_bits(given, 10),
    "codec of at_step": lambda folder, given: taskcodec.at_step(given, 1.0),
    "symbols": lambda folder, given: taskcodec.load_codec(folder / "x.tcz").decode(given),
    "packet": lambda folder, given: taskcodec.load_codec(folder / "x.tcz").decompress(given),
    **{
        f"{name} of encode": lambda folder, given, name=name: taskcodec.encode(
            STRANGE["array"], folder / "none.tcz", **{name: given}
        )
        for name in ("codec", "bits", "quality", "backbone", "labels", "ids", "chunk_rows", "device")
    },
    "truncated of features": lambda folder, given: taskcodec.features(folder / "x.npy", truncated=given),
    "bits of fit": lambda folder, given: taskcodec.fit(STRANGE["array"], bits=given),
}
MEANT = {
    *(("plan of evaluate", "none"), ("options of fit_source", "none"), ("plan of benchmark", "none")),
    *((f"{name} of encode", "none") for name in ("codec", "bits", "quality", "backbone", "labels", "ids", "device")),
    *(("bits of encode", "number"), ("chunk_rows of encode", "number"), ("bits of fit", "none")),
    ("chunk_rows of encode", "none"),
    *(("bits of fit", "number"), ("codec of encode", "nothing")),
    *(("benchmark", "paths"), ("symbols", "array"), ("packet", "nothing")),
}
"""What is no strange argument there, but one that is taken, or refused for what it names."""


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("call", [*NAMED, *OPTIONS])
def test_what_is_of_another_kind_is_told_in_a_line(folder, call, kind):
    if (call, kind) in MEANT or (call in NAMED and kind == "nothing"):
        return
    with pytest.raises(TaskcodecError) as told:
        {**NAMED, **OPTIONS}[call](folder, STRANGE[kind])
    line = str(told.value)
    assert "\n" not in line
    assert len(line) < 300
    if call in NAMED:
        assert "name" in line
        assert line.endswith(f"found {type(STRANGE[kind]).__name__}")


def test_a_data_frame_of_a_store(folder, tmp_path):
    store = taskcodec.open(folder / "x.tcz")
    frame = store.to_pandas()
    assert frame.columns.tolist() == ["id", "label", *map(str, range(D))]
    assert frame["id"].tolist() == store.ids.tolist()
    assert frame["label"].tolist() == store.labels.tolist()
    assert (frame.dtypes.iloc[2:] == np.float32).all()
    assert np.array_equal(frame.iloc[:, 2:].to_numpy(), store.to_numpy())
    frame.loc[0, "label"] = "other"  # a frame of one's own
    assert store.labels[0] != "other"
    frame.to_parquet(tmp_path / "x.parquet")  # which can be encoded again
    run("encode", tmp_path / "x.parquet", tmp_path / "again.tcz", "--bits", "60")
    again = taskcodec.open(tmp_path / "again.tcz")
    assert again.ids.tolist() == store.ids.tolist()
    assert again.labels.tolist() == ["other", *store.labels[1:].tolist()]


def test_a_data_frame_without_labels(folder):
    codec = taskcodec.load_codec(folder / "x.tcz")
    place = MemoryStore()
    with StoreWriter.create(place, codec) as writer:
        writer.append(np.zeros((2, codec.columns), np.int32), [SampleRecord(name, i, 1) for i, name in enumerate("ab")])
        writer.finish()
    assert taskcodec.open(place).to_pandas()["label"].tolist() == [None, None]
    with StoreWriter.create(empty := MemoryStore(), codec) as writer:
        writer.finish()
    assert taskcodec.open(empty).to_pandas().shape == (0, D + 2)
    assert isinstance(taskcodec.open(empty).to_pandas(), pd.DataFrame)


def test_pandas_that_is_missing_is_told(folder, monkeypatch):
    monkeypatch.delitem(sys.modules, "taskcodec.store.views.frame", raising=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match=r"pandas is not installed; run: pip install pandas$"):
        taskcodec.open(folder / "x.tcz").to_pandas()


def is_open(path):
    """Whether this process has a file open."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # that of the listing itself
            links.append(os.readlink(f"/proc/self/fd/{number}"))
    return str(path) in links


def test_a_store_in_a_with_statement(folder, tmp_path):
    file = tmp_path / "x.zip"
    pack_zip(folder / "x.tcz", file)
    for place in (folder / "x.tcz", file):
        with taskcodec.open(place) as store:
            assert store.features[:3].shape == (3, D)
            assert is_open(place) == (place == file)
        assert not is_open(file)
        assert store.features[:3].shape == (3, D)  # opened again where it is needed
        store.close()
        store.close()
        assert not is_open(file)


def test_a_store_is_let_go_of_where_an_error_ends_it(folder, tmp_path):
    pack_zip(folder / "x.tcz", tmp_path / "x.zip")

    def fails():
        with taskcodec.open(tmp_path / "x.zip") as store:
            return 1 / len(store.features[:0])

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not is_open(tmp_path / "x.zip")

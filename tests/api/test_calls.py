"""The package's own names: what commands do is one call of them, with the same result."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import SourceError, UsageError
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

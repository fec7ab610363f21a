"""What commands do is one call from Python, with the same result."""

import csv
import json
import os
import sys
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.errors import EncodeWarning, MismatchError, SkippedWarning, SourceError, StorageError, UsageError
from taskcodec.evaluation.benchmark.run import BenchmarkPlan
from taskcodec.evaluation.survival.of_features import EvaluationPlan
from taskcodec.store import SampleRecord, StoreWriter, pack_zip
from tests.cli.commands import run

D = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """x.npy with a faulty row, its store x.tcz, and its labels y.csv."""
    place = tmp_path_factory.mktemp("api")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 300)
    x = (4 * np.eye(3, D)[classes] + rng.normal(size=(300, D))).astype("f4")
    x[7, 3] = np.nan
    np.save(place / "x.npy", x)
    with open(place / "y.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "class"), *((i, f"c{c}") for i, c in enumerate(classes))])
    run("encode", place / "x.npy", place / "x.tcz", "--bits", "60", "--labels", place / "y.csv")
    return place


def test_every_name_is_there():
    for name in taskcodec.__all__:
        assert getattr(taskcodec, name) is not None
        assert name in dir(taskcodec)


def test_a_feature_codec_is_imported_by_its_name():
    from taskcodec import FeatureCodec
    from taskcodec.fitting.closed_form.feature_codec import FeatureCodec as home

    assert FeatureCodec is home


def test_features_are_what_the_command_writes(folder, tmp_path):
    run("features", folder / "x.npy", "-o", tmp_path / "f.npy")
    with pytest.warns(
        SkippedWarning, match=r"x\.npy: 1 of 300 samples left out \(the first: 7: NaN or infinity"
    ) as told:
        found = taskcodec.features(folder / "x.npy")
    assert told[0].filename == __file__
    assert found.dtype == np.float32
    assert np.array_equal(found, np.load(tmp_path / "f.npy"))
    np.save(tmp_path / "sound.npy", found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(taskcodec.features(str(tmp_path / "sound.npy")), found)
    np.save(tmp_path / "nan.npy", found * np.nan)
    with pytest.raises(SourceError, match="none of its 299 files could be read"):
        taskcodec.features(tmp_path / "nan.npy")
    with pytest.raises(SourceError, match="no such file"):
        taskcodec.features(tmp_path / "none")
    with pytest.raises(UsageError, match="holds vectors"):
        taskcodec.features(tmp_path / "sound.npy", backbone="lite0")


def test_features_of_images_by_any_backbone(tmp_path):
    models = pytest.importorskip("tests.transforms.tiny_models")
    (tmp_path / "model").mkdir()
    (tmp_path / "photos").mkdir()
    name, _ = models.clip(tmp_path / "model")
    for i in range(3):
        Image.effect_noise((40, 40), 10 * i + 1).save(tmp_path / "photos" / f"{i}.png")
    run("features", tmp_path / "photos", "-o", tmp_path / "f.npy", "--backbone", name)
    found = taskcodec.features(tmp_path / "photos", backbone=name, device="cpu")
    assert np.allclose(found, np.load(tmp_path / "f.npy"), atol=1e-6)


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
    plan = EvaluationPlan(predictors=("ridge",), folds=3, repeats=1)
    found = taskcodec.evaluate(folder / "x.tcz", source=folder / "x.npy", plan=plan)
    command = ("evaluate", folder / "x.tcz", "--source", folder / "x.npy", "--predictors", "ridge")
    rows = json.loads(run(*command, "--folds", "3", "--repeats", "1", "--json").stdout)
    assert [(row.task, row.metric, row.value) for row in found.rows] == [
        (row["task"], row["metric"], row["value"]) for row in rows
    ]
    named = taskcodec.evaluate(
        folder / "x.tcz", labels=f"{folder}/y.csv:class", kinds="classification", source=folder / "x.npy", plan=plan
    )
    assert [row.value for row in named.rows] == [row.value for row in found.rows]


def test_benchmark_measures_and_writes_the_report(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    np.savez(
        tmp_path / "a.npz", features=(3 * np.eye(3, 8)[labels] + rng.normal(size=(60, 8))).astype("f4"), labels=labels
    )
    plan = BenchmarkPlan(codecs=("sign",), regimes=("fitted",))
    outcome = taskcodec.benchmark(tmp_path / "a.npz", tmp_path / "out", plan, jobs=1)
    assert {row.codec for row in outcome.rows} >= {"sign"}
    assert "<html" in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "results.json").exists()


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


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(700, 6)) @ rng.normal(size=(6, 48)) + 0.1 * rng.normal(size=(700, 48))).astype("f4")


def test_an_array_is_what_its_file_is(x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    of_file = taskcodec.encode(tmp_path / "x.npy", tmp_path / "file.tcz")
    of_array = taskcodec.encode(x, tmp_path / "array.tcz")
    assert of_file.manifest.fingerprint == of_array.manifest.fingerprint
    np.testing.assert_array_equal(of_file.to_numpy(), of_array.to_numpy())
    assert of_array.info().fitted
    assert of_array.info().variance_kept > 0.9


def test_ids_and_labels_of_rows_stay_with_them(x, tmp_path):
    labels = [None, *["even", "odd"] * 349, "even"]
    store = taskcodec.encode(x, tmp_path / "s.tcz", ids=[f"v{i}" for i in range(700)], labels=labels)
    assert store.ids[3] == "v3"
    assert store.labels.tolist() == labels
    with pytest.raises(SourceError, match="699 labels for 700 vectors"):
        taskcodec.encode(x, tmp_path / "t.tcz", labels=labels[:-1])


def test_the_same_call_does_nothing_twice_and_another_is_refused(x, tmp_path):
    first = taskcodec.encode(x, tmp_path / "s.tcz", bits=60)
    with pytest.warns(EncodeWarning, match="nothing was done"):
        again = taskcodec.encode(x, tmp_path / "s.tcz", bits=60)
    assert again.manifest == first.manifest
    with pytest.raises(StorageError, match="60 bits"):
        taskcodec.encode(x, tmp_path / "s.tcz", bits=50)
    replaced = taskcodec.encode(x, tmp_path / "s.tcz", bits=50, overwrite=True)
    assert replaced.info().bits_per_sample == pytest.approx(50, rel=0.03)


def test_what_is_appended_takes_the_store_s_codec(x, tmp_path):
    taskcodec.encode(x[:600], tmp_path / "s.tcz")
    store = taskcodec.encode(x[600:], tmp_path / "s.tcz", append=True)
    assert len(store) == 700
    with pytest.warns(EncodeWarning, match="tables cost|lies outside"):
        taskcodec.encode(100 * np.random.default_rng(1).normal(size=(80, 48)), tmp_path / "s.tcz", append=True)


@pytest.mark.parametrize("samples", [1, 2, 7, 40])
def test_few_vectors_are_kept_nearly_as_they_are(x, samples, tmp_path):
    store = taskcodec.encode(x[:samples], tmp_path / "s.tcz")
    error = np.square(store.to_numpy() - x[:samples]).sum() / np.square(x[:samples] - x.mean(axis=0)).sum()
    assert error < 0.03


def test_nonsense_is_refused_in_words(x, tmp_path):
    for wrong in (x[0], x[:0], "abc"[:0]):
        with pytest.raises((MismatchError, UsageError)):
            taskcodec.encode(wrong, tmp_path / "s.tcz")
    for options in (
        {"quality": "best"},
        {"quality": "safe", "bits": 40},
        {"fit": False},
        {"codec": "lite0", "fit": False},
    ):
        with pytest.raises(UsageError):
            taskcodec.encode(x, tmp_path / "s.tcz", **options)
    assert not (tmp_path / "s.tcz").exists()


def test_a_rate_that_few_axes_cannot_take_is_met_by_features_as_they_are(x, tmp_path):
    info = taskcodec.encode(x[:7], tmp_path / "s.tcz", bits=120).info()
    assert info.bits_per_sample == pytest.approx(120, rel=0.5)  # whole words of one small chunk
    assert taskcodec.open(tmp_path / "s.tcz").codec.provenance["method"] == "dimensionwise"


def test_few_directions_take_few_bits(tmp_path):
    rng = np.random.default_rng(0)
    low = (rng.normal(size=(3000, 10)) @ rng.normal(size=(10, 64)) + 0.01 * rng.normal(size=(3000, 64))).astype("f4")
    found = {quality: taskcodec.encode(low, tmp_path / f"{quality}.tcz", quality=quality).info()
             for quality in ("small", "usual", "safe")}  # fmt: skip
    assert found["small"].bits_per_sample < found["usual"].bits_per_sample < found["safe"].bits_per_sample < 80
    assert found["usual"].variance_kept > 0.985


def test_what_the_codec_cannot_give_back_is_told(tmp_path):
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(800, 24)).astype("f4")
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    store = taskcodec.encode(unit, tmp_path / "s.tcz")
    np.testing.assert_allclose(np.linalg.norm(store.to_numpy(), axis=1), 1, atol=1e-5)
    with pytest.warns(EncodeWarning, match="50 samples are not of norm 1"):
        taskcodec.encode(40 * unit[:50], tmp_path / "s.tcz", append=True)


def test_a_dozen_strangers_are_enough_to_tell_that_directions_are_others(tmp_path):
    rng = np.random.default_rng(0)
    flat = (rng.normal(size=(900, 12)) @ rng.normal(size=(12, 256))).astype("f4")
    taskcodec.encode(flat, tmp_path / "s.tcz", bits=60)
    with pytest.warns(EncodeWarning, match="lies outside the directions"):
        taskcodec.encode(rng.normal(size=(12, 256)), tmp_path / "s.tcz", append=True)


def test_numbers_that_float32_cannot_hold_are_refused(x, tmp_path):
    with pytest.raises(MismatchError, match="below what float32 holds"):
        taskcodec.encode(x.astype("f8") * 1e-60, tmp_path / "s.tcz")


def test_lists_of_pictures_are_named_by_their_place(tmp_path):
    for pictures in (["a.jpg", "b.jpg"], [b"\xff\xd8"], [tmp_path / "a.png"]):
        with pytest.raises(MismatchError, match="by name"):
            taskcodec.encode(pictures, tmp_path / "s.tcz")

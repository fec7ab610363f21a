"""`taskcodec.encode`: the command's decisions, from Python."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import EncodeWarning, MismatchError, SourceError, StorageError, UsageError


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

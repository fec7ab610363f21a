"""`taskcodec.encode`: the command's decisions, from Python."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import EncodeWarning, MismatchError, SourceError, StorageError, UsageError
from tests import layered


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


@pytest.mark.slow
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


def test_a_codec_of_several_layers_is_taken_from_its_file(tmp_path):
    codec, vectors = layered.layered(), layered.features(300, 7)
    codec.save(tmp_path / "l.codec")
    taskcodec.encode(vectors[:200], tmp_path / "s.tcz", codec=tmp_path / "l.codec")
    store = taskcodec.encode(vectors[200:], tmp_path / "s.tcz", append=True)
    symbols = codec.encode(vectors)
    assert np.array_equal(taskcodec.decode(tmp_path / "s.tcz"), codec.decode(symbols))
    base = taskcodec.open(tmp_path / "s.tcz", upto="base")
    assert np.array_equal(base.to_numpy(), codec.decode(symbols, upto="base"))
    bits, measured = float(codec.code_length(symbols).mean()), store.info().bits_per_sample
    assert bits < measured < bits + 40  # packets of a layer that follows from another carry check and length
    with pytest.raises(UsageError, match="several layers"):
        taskcodec.encode(vectors, tmp_path / "b.tcz", codec=tmp_path / "l.codec", bits=20)

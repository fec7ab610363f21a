"""`encode` without a named codec: one is fitted to whatever is there, the same one each time, however it is stopped."""

import json

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions, decide
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import BackboneError, StorageError
from taskcodec.store.backend import open_blobs
from taskcodec.store.format.manifest import read_manifest, write_manifest
from tests.cli.commands import contents, refused, run
from tests.engines.encode.kills import killed_at
from tests.engines.encode.vectors import low_rank


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("v10.npy", ["--no-fit"], "no codec ships for vectors"),
        ("photos", ["--no-fit", "--backbone", "timm:resnet18"], "no codec ships for the backbone timm:resnet18"),
        ("photos", ["--no-fit", "--codec", "lite0"], "give one of them"),
        ("v10.npy", ["--quality", "best"], "--quality must be one of small, usual, safe, found best"),
        ("v10.npy", ["--quality", "small", "--bits", "20"], "--quality is of a codec fitted here"),
        ("photos", ["--quality", "small", "--codec", "lite0"], "--quality is of a codec fitted here"),
        ("photos", ["--quality", "small", "--no-fit"], "--quality is of a codec fitted here"),
        ("v10.npy", ["--quality", "usual", "--append"], "--quality is of a codec fitted here"),
        ("v10.npy", ["--no-refit"], "--no-refit is of a codec that is named or ships"),
        ("photos", ["--effort", "2", "--no-fit", "--no-refit"], "--effort fits a quantizer to what is encoded"),
        ("v10.npy", ["--no-refit", "--bits", "20"], "--no-refit is of a codec that is named or ships"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(collection, tmp_path, source, options, says):
    refused(tmp_path, "encode", collection / source, tmp_path / "s.tcz", *options, code=2, says=[says])
    assert not list(tmp_path.iterdir())


def test_a_lower_quality_takes_fewer_bits(tmp_path):
    np.save(tmp_path / "x.npy", low_rank(500))
    rates = []
    for quality in ("small", "usual", "safe"):
        shown = run("encode", tmp_path / "x.npy", tmp_path / f"{quality}.tcz", "--quality", quality, "--json").stdout
        rates.append(json.loads(shown)["bits_per_sample"])
    assert rates == sorted(rates)
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "usual.tcz")


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (["--quality", "small"], [], "encoded with --quality small;"),
        ([], ["--quality", "small"], "encoded with --quality usual;"),
        (["--bits", "20"], [], "encoded with 20 bits;"),
        ([], ["--bits", "20"], "encoded with no --bits;"),
        (["--quality", "safe"], ["--bits", "20"], "encoded with no --bits and --quality safe;"),
        ([], ["--no-fit"], "encoded with no --bits and a fit;"),
        (["--effort", "4"], [], "encoded with --effort 4;"),
        ([], ["--effort", "4"], "encoded with no --effort;"),
    ],
)
def test_other_options_for_the_same_source_are_told(collection, tmp_path, first, then, says):
    command = ["encode", collection / "v10.npy", tmp_path / "s.tcz"]
    run(*command, *first)
    assert "nothing was done" in run(*command, *first).stderr
    refused(tmp_path, *command, *then, code=1, says=[says, "--overwrite"])


def test_what_is_appended_has_the_effort_of_its_store(tmp_path):
    np.save(tmp_path / "x.npy", low_rank(100))
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    command = ("encode", tmp_path / "x.npy", tmp_path / "s.tcz", "--append", "--effort", 2)
    refused(tmp_path, *command, code=2, says=["--effort goes with a new store"])


def test_a_codec_from_elsewhere_is_not_said_to_be_fitted_here(collection, tmp_path):
    np.save(tmp_path / "x.npy", low_rank(500))
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    shown = run("info", tmp_path / "s.tcz").stdout
    assert "fitted here: keeps 9" in shown
    for options in ((), ("--no-refit",)):
        store = tmp_path / f"t{len(options)}.tcz"
        shown = run("encode", collection / "v10.npy", store, "--codec", tmp_path / "s.tcz", *options).stdout
        assert "fitted here" not in shown
        info = taskcodec.open(store).info()
        assert (info.fitted, info.variance_kept, info.cosine) == (False, None, None)
    few = run("encode", collection / "v3.npy", tmp_path / "few.tcz").stdout
    assert "fitted here\n" in few  # of three samples none can be held back to measure


@pytest.mark.filterwarnings("ignore::taskcodec.errors.UnfinishedWarning")
@pytest.mark.parametrize(("begun", "options"), [({"bits": 96.0}, []), ({"bits": 50.0}, ["--bits", "50"])])
def test_a_store_that_an_older_version_began_says_how_to_go_on(tmp_path, monkeypatch, begun, options):
    """It fitted a codec to vectors, too, but did not record that; and met a rate by default."""
    np.save(tmp_path / "x.npy", low_rank(700))
    store = tmp_path / "s.tcz"
    command = ["encode", tmp_path / "x.npy", store, "--chunk", "128"]
    assert killed_at(12, monkeypatch, str(command[1]), str(store), EncodeOptions(bits=begun["bits"], chunk_rows=128))
    blobs = open_blobs(store)
    manifest = read_manifest(blobs)
    assert 0 < manifest.samples < 700
    codec = taskcodec.open(store).codec
    request = {key: value for key, value in manifest.source.items() if key not in ("fit", "quality")}
    manifest.source.clear()
    manifest.source.update(request, codec=codec.fingerprint)
    write_manifest(blobs, manifest)
    says = ["s.tcz", "--no-fit (or by an older version)"] + ["96 bits"] * (not options)
    refused(store, *command, *options, code=1, says=says)
    run(*command, "--bits", f"{begun['bits']:g}", "--no-fit")
    opened = taskcodec.open(store)
    assert np.array_equal(opened.symbols[:], codec.encode(np.load(tmp_path / "x.npy")))
    assert opened.verify() == []


@pytest.mark.parametrize("options", [(), ("--bits", "30")])
def test_like_samples_are_appended_without_a_word_and_others_with_one(tmp_path, options):
    x = low_rank(1500, d=60)
    for name, rows in (("x", x[:500]), ("like", x[500:]), ("other", 3 * low_rank(500, d=60, seed=1))):
        np.save(tmp_path / f"{name}.npy", rows)
    store = tmp_path / "s.tcz"
    assert run("encode", tmp_path / "x.npy", store, *options).stderr == ""
    assert run("encode", tmp_path / "like.npy", store, "--append").stderr == ""
    said = run("encode", tmp_path / "other.npy", store, "--append").stderr
    assert said.startswith("taskcodec: warning: ")
    assert said.count("\n") == 1
    assert "--refit" not in said
    assert ("lies outside the directions" if options else "encode these into a store of their own") in said


def test_an_append_after_another_version_of_the_fit_takes_the_store_as_it_is(tmp_path, monkeypatch):
    """What is appended is coded with the store's own codec: nothing is fitted."""
    np.save(tmp_path / "x.npy", low_rank(300))
    np.save(tmp_path / "y.npy", low_rank(300, seed=0)[::-1])
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    fingerprint = taskcodec.open(tmp_path / "s.tcz").manifest.fingerprint
    monkeypatch.setattr("taskcodec.engines.encode.execute.fit_usual", None)
    run("encode", tmp_path / "y.npy", tmp_path / "s.tcz", "--append")
    assert taskcodec.open(tmp_path / "s.tcz").manifest.fingerprint == fingerprint
    with pytest.raises(StorageError, match="no store to append to"):
        encode_job(str(tmp_path / "y.npy"), str(tmp_path / "t.tcz"), EncodeOptions(append=True))


def test_a_bad_backbone_is_refused_before_the_store_that_lies_there(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(100, 4)).astype("f4"))
    (tmp_path / "x.zip").write_bytes(b"occupied")
    with pytest.raises(BackboneError, match="nonsense:x: no such backbone"):
        decide(tmp_path / "x.npy", tmp_path / "x.zip", EncodeOptions(backbone="nonsense:x"))


def test_a_run_that_encodes_nothing_says_nothing_of_the_rate(inputs, tmp_path):
    store, command = tmp_path / "s.tcz", ("encode", inputs / "a.npy", tmp_path / "s.tcz", "--bits", "40")
    np.save(tmp_path / "far.npy", 30 * np.load(inputs / "b.npy"))
    run(*command)
    run("encode", tmp_path / "far.npy", store, "--append")
    assert taskcodec.open(store).info().bits_per_sample > 44
    assert "not met" not in run(*command).stderr
    np.save(tmp_path / "few.npy", np.load(inputs / "b.npy")[:5])
    few = ("encode", tmp_path / "few.npy", tmp_path / "few.tcz", "--bits", "40")
    assert "not met" in run(*few).stderr
    assert "not met" in run(*few, "--overwrite").stderr
    assert "not met" not in run(*few).stderr


def test_vectors_need_no_backbone_and_may_say_so(inputs, tmp_path):
    run("encode", inputs / "b.npy", tmp_path / "s.tcz", "--backbone", "none", "--bits", "30")
    run("fit", inputs / "b.npy", "-o", tmp_path / "c.codec", "--backbone", "none", "--bits", "30")
    assert len(taskcodec.open(tmp_path / "s.tcz")) == 700


def test_a_store_in_memory_is_told_to_be_lost(inputs):
    assert "gone when it ends" in run("encode", inputs / "c.npy", "memory://told/s.tcz").stderr

"""`encode` without a named codec: one is fitted to whatever is there, the same one each time, however it is stopped."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import StorageError
from taskcodec.store.backend import open_blobs
from taskcodec.store.format.manifest import read_manifest, write_manifest
from tests.cli.test_encode import contents, refused, run


def low_rank(n, d=24, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(4, d))
    return (rng.normal(size=(n, 4)) @ directions + noise * rng.normal(size=(n, d))).astype("f4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs, and vN.npy of N vectors."""
    root = tmp_path_factory.mktemp("fitted")
    for n in (1, 2, 3, 10):
        np.save(root / f"v{n}.npy", low_rank(n))
    (root / "photos").mkdir()
    for number in range(40):
        photo = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[number % 2]))
        left, top = 20 * number % 480, 70 * number % 260
        photo.crop((left, top, left + 160, top + 160)).save(root / "photos" / f"{number:02}.jpg", quality=90)
    return root


def some(folder, place, count):
    """The first few of the photographs, in a folder of their own."""
    place.mkdir()
    for path in sorted((folder / "photos").iterdir())[:count]:
        shutil.copy(path, place)
    return place


# from one sample on


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_vectors_twice(folder, tmp_path, n, zipped):
    source, store = folder / f"v{n}.npy", tmp_path / ("s.zip" if zipped else "s.tcz")
    assert run("encode", source, store).stderr == ""
    opened = taskcodec.open(store)
    assert opened.verify() == []
    assert opened.info().fitted
    x, y = np.load(source), opened.to_numpy()
    assert np.square(x - y).sum() < 0.03 * np.square(x).sum()
    again = tmp_path / f"again-{store.name}"
    run("encode", source, again)
    if zipped:
        assert store.read_bytes() == again.read_bytes()
    else:
        assert contents(store) == contents(again)
    assert "nothing was done" in run("encode", source, store).stderr


@pytest.mark.parametrize("options", [(), ("--bits", "60"), ("--quality", "small"), ("--no-fit",)])
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_few_photographs_twice(folder, tmp_path, n, options):
    pytest.importorskip("torch")
    photos = some(folder, tmp_path / "photos", n)
    run("features", photos, "-o", tmp_path / "x.npy")
    run("encode", photos, tmp_path / "s.tcz", *options)
    run("encode", photos, tmp_path / "again.tcz", *options)
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "again.tcz")
    opened = taskcodec.open(tmp_path / "s.tcz")
    assert len(opened) == n
    assert opened.verify() == []
    assert opened.info().fitted == ("--no-fit" not in options)
    x, y = np.load(tmp_path / "x.npy"), opened.to_numpy()
    cosines = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert cosines.min() > (0.5 if "--bits" in options else 0.9)


def test_broken_pictures_among_few(folder, tmp_path):
    pytest.importorskip("torch")
    photos = some(folder, tmp_path / "photos", 2)
    run("encode", photos, tmp_path / "whole.tcz")
    (photos / "empty.png").write_bytes(b"")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    shown = run("encode", photos, tmp_path / "s.tcz").stdout
    assert "2 samples, 2 not coded" in shown
    opened, whole = taskcodec.open(tmp_path / "s.tcz"), taskcodec.open(tmp_path / "whole.tcz")
    assert opened.manifest.fingerprint == whole.manifest.fingerprint
    assert opened.failures["id"].to_pylist() == ["broken.jpg", "empty.png"]
    for path in photos.glob("*.jpg"):
        path.write_bytes(b"\xff\xd8\xff")
    refused(tmp_path, "encode", photos, tmp_path / "none.tcz", code=1, says=["none of its 4 samples", "not an image"])


def test_samples_that_can_be_read_are_found_wherever_they_lie(tmp_path):
    """A codec is fitted to batches spread over the source: here hardly one of those holds anything."""
    x = np.full((40 * 1024, 4), np.nan, "f4")
    x[5000:6000] = low_rank(1000, 4)
    np.save(tmp_path / "x.npy", x)
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    opened = taskcodec.open(tmp_path / "s.tcz")
    assert len(opened) == 1000
    assert opened.codec.provenance["samples"] == 1000
    assert len(opened.failures) == 40 * 1024 - 1000


def test_one_sample_far_out_spoils_no_other(tmp_path):
    x = low_rank(600)
    x[7] *= 1e9
    np.save(tmp_path / "far.npy", x)
    assert "such as 7" in run("encode", tmp_path / "far.npy", tmp_path / "far.tcz").stderr
    rest = np.delete(np.arange(600), 7)
    error = taskcodec.open(tmp_path / "far.tcz").features[rest] - x[rest]
    assert np.square(error).mean() < 0.03 * x[rest].var()


# stopped at any moment


class Killed(BaseException):
    """Like SIGKILL, nothing catches it."""


def killed_at(moment, monkeypatch, *arguments):
    """Whether a run came to its `moment`-th file, and was stopped just before that file got its name."""
    count, replace = itertools.count(), os.replace

    def stop(source, target):
        if next(count) == moment:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", stop)
        patch.setattr("os.fsync", lambda file: None)
        try:
            encode_job(*arguments)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("name", ["s.tcz", "s.zip"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_at_every_file_and_run_again_gives_the_same_bytes(tmp_path, monkeypatch, name, overwrite):
    np.save(tmp_path / "x.npy", low_rank(700))
    np.save(tmp_path / "old.npy", low_rank(50, seed=1))
    run("encode", tmp_path / "x.npy", tmp_path / f"whole-{name}", "--chunk", "256")
    store = tmp_path / "place" / name
    job = (str(tmp_path / "x.npy"), str(store), EncodeOptions(overwrite=overwrite, chunk_rows=256))
    for moment in itertools.count():
        shutil.rmtree(store.parent, ignore_errors=True)
        store.parent.mkdir()
        if overwrite:
            run("encode", tmp_path / "old.npy", store)
        if not killed_at(moment, monkeypatch, *job):
            break
        encode_job(*job)
        assert [path.name for path in store.parent.iterdir()] == [name]
        whole = tmp_path / f"whole-{name}"
        if store.is_file():
            assert store.read_bytes() == whole.read_bytes(), moment
        else:
            assert contents(store) == contents(whole), moment
    assert moment > 12


def test_photographs_killed_and_run_again_give_the_same_bytes(folder, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    photos = some(folder, tmp_path / "photos", 40)
    run("encode", photos, tmp_path / "whole.tcz", "--chunk", "16")
    for moment in (0, 3, 6, 9, 12):
        job = (str(photos), str(tmp_path / f"{moment}.tcz"), EncodeOptions(chunk_rows=16))
        assert killed_at(moment, monkeypatch, *job)
        encode_job(*job)
        assert contents(tmp_path / f"{moment}.tcz") == contents(tmp_path / "whole.tcz")


def test_an_append_killed_at_every_file_and_run_again_gives_the_same_bytes(tmp_path, monkeypatch):
    for name, rows, seed in (("x", 300, 0), ("y", 400, 1)):
        np.save(tmp_path / f"{name}.npy", low_rank(rows, seed=seed))
    run("encode", tmp_path / "x.npy", tmp_path / "begun.tcz", "--chunk", "128")
    shutil.copytree(tmp_path / "begun.tcz", tmp_path / "whole.tcz")
    job = (str(tmp_path / "y.npy"), str(tmp_path / "s.tcz"), EncodeOptions(append=True))
    encode_job(job[0], str(tmp_path / "whole.tcz"), job[2])
    for moment in itertools.count():
        shutil.rmtree(tmp_path / "s.tcz", ignore_errors=True)
        shutil.copytree(tmp_path / "begun.tcz", tmp_path / "s.tcz")
        if not killed_at(moment, monkeypatch, *job):
            break
        encode_job(*job)
        assert contents(tmp_path / "s.tcz") == contents(tmp_path / "whole.tcz"), moment
    assert moment > 12


# what goes together


@pytest.mark.parametrize(
    ("source", "options", "says"),
    [
        ("v10.npy", ["--no-fit"], "no codec ships for vectors"),
        ("photos", ["--no-fit", "--backbone", "timm:resnet18"], "no codec ships for the backbone timm:resnet18"),
        ("photos", ["--no-fit", "--codec", "lite0"], "give one of them"),
        ("v10.npy", ["--quality", "best"], "none of small, usual, safe"),
        ("v10.npy", ["--quality", "small", "--bits", "20"], "--quality is of a codec fitted here"),
        ("photos", ["--quality", "small", "--codec", "lite0"], "--quality is of a codec fitted here"),
        ("photos", ["--quality", "small", "--no-fit"], "--quality is of a codec fitted here"),
        ("v10.npy", ["--quality", "usual", "--append"], "--quality is of a codec fitted here"),
        ("v10.npy", ["--no-refit"], "--no-refit is of a codec that is named or ships"),
        ("v10.npy", ["--no-refit", "--bits", "20"], "--no-refit is of a codec that is named or ships"),
    ],
)
def test_what_does_not_go_together_is_refused_in_words(folder, tmp_path, source, options, says):
    refused(tmp_path, "encode", folder / source, tmp_path / "s.tcz", *options, code=2, says=[says])
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
    ],
)
def test_other_options_for_the_same_source_are_told(folder, tmp_path, first, then, says):
    command = ["encode", folder / "v10.npy", tmp_path / "s.tcz"]
    run(*command, *first)
    assert "nothing was done" in run(*command, *first).stderr
    refused(tmp_path, *command, *then, code=1, says=[says, "--overwrite"])


def test_a_codec_from_elsewhere_is_not_said_to_be_fitted_here(folder, tmp_path):
    np.save(tmp_path / "x.npy", low_rank(500))
    run("encode", tmp_path / "x.npy", tmp_path / "s.tcz")
    shown = run("info", tmp_path / "s.tcz").stdout
    assert "fitted here: keeps 9" in shown
    for options in ((), ("--no-refit",)):
        store = tmp_path / f"t{len(options)}.tcz"
        shown = run("encode", folder / "v10.npy", store, "--codec", tmp_path / "s.tcz", *options).stdout
        assert "fitted here" not in shown
        info = taskcodec.open(store).info()
        assert (info.fitted, info.variance_kept, info.cosine) == (False, None, None)
    few = run("encode", folder / "v3.npy", tmp_path / "few.tcz").stdout
    assert "fitted here\n" in few  # of three samples none can be held back to measure


# what older versions left


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


# what is appended


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

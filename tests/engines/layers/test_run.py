"""Layers beside the features: in one pass, stopped anywhere, appended to, added later."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import StorageError, UsageError
from taskcodec.store import Store
from tests.data.pictures import Eyes
from tests.engines.encode.kills import killed_at
from tests.engines.layers.conftest import KINDS, PHOTOS

ALL = "features,picture:800,original"


def contents(place):
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def options(layers=ALL, **more):
    return EncodeOptions(backbone=Eyes(), layers=layers, chunk_rows=2, **more)


def originals(store):
    """What the layer gives back, by id, of failures too."""
    layer = store.layer("original")
    return {
        r["id"]: layer.of_source(r["source_index"]) for r in store.records.select(["id", "source_index"]).to_pylist()
    }


@pytest.fixture(scope="module")
def few(photos, tmp_path_factory):
    """Five files, two of them no pictures, and the store of them."""
    root = tmp_path_factory.mktemp("few")
    (root / "photos").mkdir()
    for name in ("jpeg/jpeg_cut.bin", "text/text.bin", *list(PHOTOS)[:3]):
        shutil.copy(photos / name, root / "photos")
    encode_job(str(root / "photos"), str(root / "s.tcz"), options())
    return root / "photos", root / "s.tcz"


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / "s.tcz"
    encode_job(str(photos), str(place), options())
    return place


def test_every_file_comes_back(whole):
    store = taskcodec.open(whole)
    assert store.verify() == []
    assert len(store.failures) > 5
    assert {name: data or b"" for name, data in originals(store).items()} == {**KINDS, **PHOTOS}


def test_pictures_are_as_large_as_asked_for_and_look_like_their_originals(whole):
    store = taskcodec.open(whole)
    layer, sizes = store.layer("picture"), []
    for row, name in enumerate(store.ids):
        if name in PHOTOS:
            picture = Image.open(io.BytesIO(layer[row])).convert("RGB")
            before = Image.open(io.BytesIO(PHOTOS[name])).convert("RGB")
            sizes.append(len(layer[row]))
            assert abs(np.asarray(before.resize(picture.size)).astype(int) - np.asarray(picture)).mean() < 12
    assert len(sizes) == len(PHOTOS)
    assert np.mean(sizes) == pytest.approx(800, rel=0.03)


def test_the_store_is_the_same_without_them(whole, photos, tmp_path):
    encode_job(str(photos), str(tmp_path / "s.tcz"), options(None))
    without = {name: data for name, data in contents(whole).items() if not name.startswith("layers/")}
    assert contents(tmp_path / "s.tcz") == without


def test_a_finished_store_gets_what_it_lacks(few, tmp_path):
    (photos, whole), place = few, tmp_path / "s.tcz"
    for layers, says in ((None, ""), ("original", "added to it: original"), (ALL, "picture"), (ALL, "was done")):
        notes = encode_job(str(photos), str(place), options(layers)).notes
        assert layers is None or notes[0].endswith(says)
    assert contents(place) == contents(whole)


def test_a_store_in_other_chunks_gets_a_layer_without_being_told_them(few, tmp_path):
    source, place = str(few[0]), tmp_path / "s.tcz"
    encode_job(source, str(place), EncodeOptions(backbone=Eyes(), chunk_rows=4))
    found = encode_job(source, str(place), EncodeOptions(backbone=Eyes(), layers="original"))
    assert found.notes[0].endswith("added to it: original")
    assert Store(place).manifest.chunk_rows == 4
    with pytest.raises(StorageError, match="encoded with --chunk 4"):
        encode_job(source, str(place), EncodeOptions(backbone=Eyes(), layers="original", chunk_rows=8))


@pytest.mark.slow
def test_a_run_stopped_anywhere_goes_on_to_the_same_store(few, tmp_path, monkeypatch):
    source, whole = few
    moment = 0
    while killed_at(moment, monkeypatch, str(source), str(tmp_path / f"{moment}.tcz"), options()):
        place = tmp_path / f"{moment}.tcz"
        if "picture" in (Store(place).layers if (place / "zarr.json").exists() else ()) and moment % 2:
            encode_job(str(source), str(place), options(None))  # those that were begun go on unasked
            assert Store(place).verify() == []
        encode_job(str(source), str(place), options())
        assert contents(place) == contents(whole)
        moment += 1
    assert moment > 15


@pytest.mark.slow
def test_an_addition_stopped_anywhere_goes_on(few, tmp_path, monkeypatch):
    source, whole = few
    encode_job(str(source), str(tmp_path / "base.tcz"), options(None))
    moment = 0
    while True:
        place = tmp_path / f"{moment}.tcz"
        shutil.copytree(tmp_path / "base.tcz", place)
        if not killed_at(moment, monkeypatch, str(source), str(place), options()):
            break
        if "picture" in Store(place).layers:
            encode_job(str(source), str(place), options(None))  # what was begun is completed unasked
            assert Store(place).verify() == []
        encode_job(str(source), str(place), options())
        assert contents(place) == contents(whole)
        moment += 1
    assert moment > 2


def test_what_is_appended_gets_the_layers_of_the_store(whole, photos, tmp_path):
    place = tmp_path / "s.tcz"
    shutil.copytree(whole, place)
    encode_job(str(photos.parent / "more"), str(place), EncodeOptions(backbone=Eyes(), append=True))
    store = Store(place)
    assert store.verify() == []
    found = originals(store)
    for name, data in list(PHOTOS.items())[:3]:
        assert found[name] == found[f"{name}#2"] == data


def test_a_layer_is_added_to_a_store_of_several_sources_in_their_order(few, photos, tmp_path):
    place, first, more = tmp_path / "s.tcz", str(few[0]), str(photos.parent / "more")
    encode_job(first, str(place), options(None))
    encode_job(more, str(place), EncodeOptions(backbone=Eyes(), append=True))
    expected = tmp_path / "expected.tcz"
    encode_job(first, str(expected), options())
    encode_job(more, str(expected), EncodeOptions(backbone=Eyes(), append=True))
    before = contents(place)
    says = r"samples before these have none: encode the source first that jpeg_cut.bin is of, with --layers picture,"
    with pytest.raises(UsageError, match=says):
        encode_job(more, str(place), EncodeOptions(backbone=Eyes(), append=True, layers=ALL))
    assert contents(place) == before
    found = encode_job(first, str(place), options())
    assert found.notes[0].endswith("added to it: picture, original")
    assert "5 of 8 samples" in Store(place).verify()[0]
    encode_job(first, str(place), options())  # there is no more of this source
    assert Store(place).layer("original").items == 5
    encode_job(more, str(place), EncodeOptions(backbone=Eyes(), append=True))  # what was begun is completed unasked
    assert Store(place).verify() == []
    for name in contents(expected).keys() | contents(place).keys():
        assert contents(place)[name] == contents(expected)[name]


def test_a_source_is_not_appended_where_a_layer_lacks_those_before(few, photos, tmp_path):
    place, first, more = tmp_path / "s.tcz", str(few[0]), photos.parent / "more"
    encode_job(first, str(place), options(None))
    encode_job(str(more), str(place), EncodeOptions(backbone=Eyes(), append=True))
    encode_job(first, str(place), options("original"))
    (tmp_path / "third").mkdir()
    shutil.copy(more / "photo01.jpg", tmp_path / "third" / "x.jpg")
    third = (str(tmp_path / "third"), str(place), EncodeOptions(backbone=Eyes(), append=True))
    with pytest.raises(UsageError, match=r"source first that photo00.jpg#2 is of, with --layers original"):
        encode_job(*third)
    encode_job(str(more), str(place), EncodeOptions(backbone=Eyes(), append=True))
    encode_job(*third)
    assert Store(place).verify() == []


@pytest.mark.slow
def test_an_append_stopped_anywhere_goes_on(few, photos, tmp_path, monkeypatch):
    moment = 0
    while True:
        place = tmp_path / f"{moment}.tcz"
        shutil.copytree(few[1], place)
        more = (str(photos.parent / "more"), str(place), EncodeOptions(backbone=Eyes(), append=True))
        if not killed_at(moment, monkeypatch, *more):
            break
        encode_job(*more)
        assert Store(place).verify() == []
        assert len(Store(place).layer("original")) == len(Store(place))
        moment += 1
    assert moment > 3


def test_other_options_are_refused_and_a_removed_layer_is_made_anew(whole, photos, tmp_path):
    place = tmp_path / "s.tcz"
    shutil.copytree(whole, place)
    before = contents(place)
    with pytest.raises(UsageError, match="has picture:800, not picture:900; drop that layer first"):
        encode_job(str(photos), str(place), options("picture:900"))
    assert contents(place) == before
    shutil.rmtree(place / "layers" / "picture")
    assert Store(place).verify() == []
    assert Store(place).layers == ("features", "original")
    encode_job(str(photos), str(place), options("picture:900"))
    assert Store(place).layer("picture").options == {"bytes": 900}


def test_replacing_a_store_replaces_its_layers(whole, photos, tmp_path):
    place = tmp_path / "s.tcz"
    shutil.copytree(whole, place)
    encode_job(str(photos.parent / "more"), str(place), options("picture:700", overwrite=True))
    assert Store(place).layers == ("features", "picture")
    assert Store(place).verify() == []


def test_in_a_zip_file(few, tmp_path):
    source, whole = few
    encode_job(str(source), str(tmp_path / "s.zip"), options())
    store = Store(tmp_path / "s.zip")
    assert store.verify() == []
    assert originals(store) == originals(Store(whole))


def test_behind_a_url(few):
    source, whole = few
    encode_job(str(source), "memory://layers-behind-a-url/s.tcz", options())
    store = Store("memory://layers-behind-a-url/s.tcz")
    assert store.verify() == []
    assert originals(store) == originals(Store(whole))


def test_vectors_have_none(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(50, 8)).astype("f4"))
    with pytest.raises(UsageError, match=r"--layers original: .* holds vectors; pictures and originals are kept of"):
        encode_job(str(tmp_path / "x.npy"), str(tmp_path / "s.tcz"), EncodeOptions(layers="original"))
    assert not (tmp_path / "s.tcz").exists()


@pytest.mark.parametrize("later", [False, True])
def test_a_layer_that_has_nothing_yet_is_gone_on_with_unasked(few, tmp_path, monkeypatch, later):
    """Stopped before its first commit, in step or added later: who then runs the command without it has it."""
    source, place = str(few[0]), str(tmp_path / "s.tcz")
    if later:
        encode_job(source, place, options(None))

    def stop(contents):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("taskcodec.engines.layers.run.packed", stop)
        with pytest.raises(KeyboardInterrupt):
            encode_job(source, place, options("features,original"))
    store = encode_job(source, place, options(None)).store
    assert originals(store) == originals(Store(few[1]))

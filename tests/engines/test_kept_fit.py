"""An encode of images that is stopped while it fits: what it computed is taken, and the store is the same."""

import shutil
from dataclasses import replace
from threading import Lock

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.data.items import Item
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import BackboneSpec
from tests.cli.commands import contents
from tests.engines.encode.kills import Killed

D, SIDE, BATCH = 24, 8, 4
MATRIX = np.random.default_rng(0).normal(size=(SIDE * SIDE * 3, D)).astype("f4")


class Tiny:
    """A backbone that is killed before its batch of this number, and counts what it reads."""

    def __init__(self, killed_at=None, weights="a" * 64):
        self.spec = BackboneSpec("tiny", weights, D)
        self.preprocess = Preprocessing(SIDE, SIDE, "bilinear", (0.0,) * 3, (1.0,) * 3)
        self.killed_at, self.batches, self.lock = killed_at, 0, Lock()

    def __call__(self, pixels):
        with self.lock:
            if self.batches == self.killed_at:
                raise Killed
            self.batches += 1
        return pixels.reshape(len(pixels), -1).astype("f4") @ MATRIX / 1e3


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A hundred pictures in two classes, in batches of four."""
    monkeypatch.setattr("taskcodec.engines.encode.local.BATCH", BATCH)
    rng = np.random.default_rng(1)
    for number in range(100):
        folder = tmp_path / "photos" / ("even", "odd")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)).save(folder / f"{number:03}.png")
    return tmp_path / "photos"


@pytest.fixture
def read(monkeypatch):
    """The ids of the images that were read, in order."""
    found = []

    def read_item(item: Item, *arguments):
        found.append(item.id)
        return original(item, *arguments)

    from taskcodec.engines.encode.records import read_item as original

    monkeypatch.setattr("taskcodec.engines.encode.local.read_item", read_item)
    return found


def encode(photos, place, backbone, **options):
    return encode_job(photos, str(place), EncodeOptions(backbone=backbone, **options))


def kept(place):
    return sorted(place.parent.glob(f".{place.name}*.fit/*"))


@pytest.mark.parametrize("name", ["s.tcz", "s.zip"])
def test_what_was_computed_is_not_computed_again(photos, tmp_path, read, name):
    encode(photos, tmp_path / f"whole-{name}", Tiny())
    assert len(read) == 100
    store = tmp_path / name
    for moment in (9, 8):  # a second kill keeps what the first did
        with pytest.raises(Killed):
            encode(photos, store, Tiny(moment))
    assert not store.exists()
    there = len(kept(store))
    assert 12 <= there <= 17  # two batches are computed side by side
    assert encode(photos, tmp_path / f"other-{name}", Tiny()).store.verify() == []  # another place's
    read.clear()
    backbone = Tiny()
    assert encode(photos, store, backbone).store.verify() == []
    assert backbone.batches == 25 - there
    assert len(read) == len(set(read)) == 100 - there * BATCH
    assert not list(tmp_path.glob(".*"))
    if name.endswith(".zip"):
        assert store.read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    else:
        assert contents(store) == contents(tmp_path / f"whole-{name}")


def test_a_stop_after_the_fit_takes_it_too(photos, tmp_path, monkeypatch):
    store = tmp_path / "s.tcz"
    encode(photos, tmp_path / "whole.tcz", Tiny(), chunk_rows=8)
    with monkeypatch.context() as patch:
        patch.setattr("taskcodec.store.StoreWriter.append", lambda *arguments: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            encode(photos, store, Tiny(), chunk_rows=8)
    backbone = Tiny()
    encode(photos, store, backbone, chunk_rows=8)
    assert backbone.batches == 0
    assert contents(store) == contents(tmp_path / "whole.tcz")
    assert not kept(store)


@pytest.mark.parametrize("change", ["source", "weights", "damage", "device"])
def test_what_is_of_something_else_is_not_taken(photos, tmp_path, change):
    store, backbone = tmp_path / "s.tcz", Tiny(weights="b" * 64 if change == "weights" else "a" * 64)
    with pytest.raises(Killed):
        encode(photos, store, Tiny(9))
    if change == "source":
        Image.new("RGB", (SIDE, SIDE)).save(photos / "even" / "more.png")
    if change == "damage":
        for path in kept(store):
            path.write_bytes(path.read_bytes()[:-200])
    if change == "device":
        backbone.device = "another"
    encode(photos, store, backbone)
    assert backbone.batches == 25 + (change == "source")
    assert not kept(store)


def test_labels_and_names_are_those_of_now(photos, tmp_path):
    with pytest.raises(Killed):
        encode(photos, tmp_path / "s.tcz", Tiny(9))
    table = tmp_path / "y.csv"
    table.write_text("path,class\n" + "".join(f"{number:03}.png,{number}\n" for number in range(100)))
    store = encode(photos, tmp_path / "s.tcz", Tiny(), labels=str(table)).store
    assert store.labels.tolist() == [name.split("/")[1][:3].lstrip("0") or "0" for name in store.ids]


def test_what_could_not_be_read_is_tried_again(photos, tmp_path):
    broken = photos / "even" / "000.png"
    data = broken.read_bytes()
    broken.write_bytes(b"x" * len(data))
    with pytest.raises(Killed):
        encode(photos, tmp_path / "s.tcz", Tiny(9))
    assert 5 <= len(kept(tmp_path / "s.tcz")) <= 8
    encode(photos, tmp_path / "s.tcz", Tiny())
    assert taskcodec.open(tmp_path / "s.tcz").info().failures == 1


def test_nothing_else_hinders_or_counts_it(photos, tmp_path):
    """Another encode into the place, one of the folder that the store lies in, and info."""
    place = photos / "s.tcz"
    with pytest.raises(Killed):
        encode(photos, place, Tiny(9))
    backbone, there = Tiny(), len(kept(place))
    encode(photos, place, backbone)
    assert backbone.batches == 25 - there < 25
    whole = taskcodec.open(place).info()
    with pytest.raises(Killed):
        encode(photos, place, Tiny(9), overwrite=True)
    assert taskcodec.open(place).info() == whole
    np.save(tmp_path / "x.npy", MATRIX)
    encode_job(tmp_path / "x.npy", str(place), replace(EncodeOptions(), overwrite=True))
    assert len(taskcodec.open(place)) == len(MATRIX)


def test_a_place_where_nothing_can_be_kept_keeps_nothing(photos, tmp_path):
    (tmp_path / ".s.tcz.fit").write_text("mine")
    with pytest.raises(Killed):
        encode(photos, tmp_path / "s.tcz", Tiny(9))
    encode(photos, tmp_path / "s.tcz", Tiny())
    assert (tmp_path / ".s.tcz.fit").read_text() == "mine"
    (tmp_path / ".t.tcz.fit").mkdir()
    (tmp_path / ".t.tcz.fit" / "mine.txt").write_text("mine")
    encode(photos, tmp_path / "t.tcz", Tiny())
    assert (tmp_path / ".t.tcz.fit" / "mine.txt").read_text() == "mine"
    shutil.rmtree(tmp_path / ".t.tcz.fit")

"""A store that is no longer the one that was opened is called so, not damaged; and it is found from any folder."""

import pickle
import shutil

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.store import StoreWriter, pack_zip
from tests.store.test_store import records, write

CHUNK = 32


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(200, 8)).astype("f4")


@pytest.fixture(scope="module")
def codec(x):
    return taskcodec.fit(x, bits=30)


@pytest.fixture(scope="module")
def other(x):
    return taskcodec.fit(3 * x + 1, bits=40)


def replaced(place, codec, x):
    shutil.rmtree(place)
    write(place, codec, x, chunk=CHUNK)


READS = [
    lambda store: store.features[150],
    lambda store: store.symbols[:],
    lambda store: store.ids,
    lambda store: store.labels,
    lambda store: store.codec,
    lambda store: store.info(),
    lambda store: store.certificate,
    lambda store: list(store.batches()),
    lambda store: pickle.loads(pickle.dumps(store)),
    lambda store: pickle.loads(pickle.dumps(store.features)),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_store_that_was_replaced_is_to_be_opened_again(tmp_path, codec, other, x, read, zipped):
    place = write(tmp_path / "x.tcz", codec, x, chunk=CHUNK)
    if zipped:
        pack_zip(place, tmp_path / "x.zip")
    store = taskcodec.open(tmp_path / "x.zip" if zipped else place)
    replaced(place, other, 3 * x[:170] + 1)
    if zipped:
        pack_zip(place, tmp_path / "x.zip")
        store._blobs._process = -1  # as in a worker that is forked now, which opens the file anew
    with pytest.raises(MismatchError, match=r"x\.(tcz|zip): replaced or added to since it was opened: open it again"):
        read(store)
    assert len(taskcodec.open(store.place)) == 170


def test_verify_says_once_that_it_was_replaced(tmp_path, codec, other, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=CHUNK)
    store = taskcodec.open(place)
    replaced(place, other, x)
    assert store.verify() == [f"{place}: replaced or added to since it was opened: open it again"]


def test_a_store_that_was_added_to(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x[:100], chunk=CHUNK)
    store, sent = taskcodec.open(place), pickle.dumps(taskcodec.open(place))
    with StoreWriter.open(place, source={"kind": "more"}) as writer:
        writer.append(codec.encode(x[100:]), records(100, 100))
        writer.finish()
    assert np.array_equal(store.symbols[:], codec.encode(x[:100]))  # what it had is still there
    for read in (lambda: store.ids, lambda: pickle.loads(sent)):
        with pytest.raises(MismatchError, match="added to since it was opened"):
            read()


def test_a_store_that_is_gone(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=CHUNK)
    store = taskcodec.open(place)
    place.rename(tmp_path / "y.tcz")
    with pytest.raises(MismatchError, match=r"x\.tcz: moved or removed since it was opened"):
        store.features[0]


def test_damage_is_still_called_damage(tmp_path, codec, x):
    place = write(tmp_path / "x.tcz", codec, x, chunk=CHUNK)
    store = taskcodec.open(place)
    for file in (place / "codes" / "c" / "0" / "0", place / "zarr.json"):
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(CorruptFileError, match=r"codes/c/0/0: damaged"):
            store.features[0]


def test_a_store_is_found_when_the_current_folder_is_another_one(tmp_path, codec, x, monkeypatch):
    write(tmp_path / "x.tcz", codec, x, chunk=CHUNK)
    pack_zip(tmp_path / "x.tcz", tmp_path / "x.zip")
    monkeypatch.chdir(tmp_path)
    stores = [taskcodec.open(name) for name in ("x.tcz", "./x.zip", "x.tcz/")]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for store in stores:
        for found in (store, pickle.loads(pickle.dumps(store))):
            assert np.array_equal(found.symbols[:], codec.encode(x))
            assert found.verify() == []

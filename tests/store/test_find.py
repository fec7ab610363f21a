"""Rows by ids and by labels, and how much is read for them."""

import uuid

import numpy as np
import pytest

from taskcodec.errors import CorruptFileError, UnknownIdError, UsageError
from taskcodec.store import SampleRecord, Store, StoreWriter
from taskcodec.store.format.buckets import bucket_of, groups_in, write_buckets
from tests.store.counted import Watched, watch

ROWS, BAD = 2600, {0, 7, 2050, 2599}
NAMES = {
    "text": [f"cats/{i:05d}.jpg" for i in range(ROWS)],
    "length": [str(i) for i in range(ROWS)],
    None: [uuid.uuid5(uuid.NAMESPACE_URL, str(i)).hex for i in range(ROWS)],
}
EACH = pytest.mark.parametrize("order", NAMES)
KEPT = [i for i in range(ROWS) if i not in BAD]


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    watch(monkeypatch)


@pytest.fixture(scope="module")
def held(codec, x):
    """Stores of chunks of two rows, with ids in each order: three segments."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        watch(patch)
        for order, names in NAMES.items():
            place = Watched()
            with StoreWriter.create(place, codec, chunk_rows=1) as writer:
                for i, name in enumerate(names):
                    label = ("cat", "dog", None)[i % 3]
                    record = SampleRecord(name, i, 10, label=label, status="bad" if i in BAD else "ok")
                    writer.append(codec.encode(x[:1])[: i not in BAD], [record])
                writer.finish()
            found[order] = place.held
    return found


@EACH
def test_ids_are_found(held, order):
    store, names = Store(Watched(held[order])), NAMES[order]
    assert len(store.manifest.segments) == 3
    if order is None:
        assert [segment.ids for segment in store.manifest.segments] == [None] * 3
    else:  # the last thousand numbers are of one length
        assert store.manifest.segments[0].ids[0] == order
    for row in (0, 1, 500, 1023, 1024, len(KEPT) - 1):
        assert store.find(names[KEPT[row]]) == row
    assert store.find([names[i] for i in reversed(KEPT)]).tolist() == list(reversed(range(len(KEPT))))
    assert store.find([]).tolist() == []
    assert store.ids.tolist() == [names[i] for i in KEPT]


@EACH
def test_what_is_no_sample_is_told(held, order):
    store = Store(Watched(held[order]))
    for name in ("", "cats/00001.jpg ", "999999999", "zzz", "\ud800"):
        with pytest.raises(UnknownIdError, match="is the id of no sample"):
            store.find(["5", name] if order == "length" else name)
    with pytest.raises(UnknownIdError, match=r"^watched: '\S+' could not be coded$"):
        store.find(NAMES[order][2050])
    with pytest.raises(KeyError):
        store.find("none")


@EACH
def test_an_id_takes_a_few_requests(held, order):
    place = Watched(held[order])
    store = Store(place)
    place.asked.clear()
    store.find(NAMES[order][1500])
    segments = {key.split(".")[0] for _, key in place.asked}
    assert len(segments) == (1 if order else 2)
    assert len(place.asked) <= (4 if order else 3 * 2 + 3)


def test_rows_by_label(held):
    store = Store(Watched(held["text"]))
    rows = np.arange(len(KEPT))
    labels = np.array([i % 3 for i in KEPT])
    assert store.rows_where(label="cat").tolist() == rows[labels == 0].tolist()
    assert store.rows_where(label=["dog", "cat"]).tolist() == rows[labels < 2].tolist()
    assert store.rows_where(label=None).tolist() == rows[labels == 2].tolist()
    assert store.rows_where(label="cow").tolist() == []


def test_what_cannot_be_asked_for_is_told(held):
    store = Store(Watched(held["text"]))
    for asked in ({"foo": 1}, {"label": "cat", "foo": 1}, {}):
        with pytest.raises(UsageError, match=r"rows_where takes one column, label=, found .*; rows by id: find\(id\)"):
            store.rows_where(**asked)
    for label in (3, ["cat", 3], b"cat"):
        with pytest.raises(UsageError, match="a label must be text, as a store keeps labels, or None, found"):
            store.rows_where(label=label)
    for name in (3, ["cats/00001.jpg", None], b"cats"):
        with pytest.raises(UsageError, match="an id must be text, found"):
            store.find(name)


def test_labels_are_read_without_the_ids(held):
    place = Watched(held[None])  # these take most of the bytes
    store = Store(place)
    place.asked.clear()
    store.rows_where(label="cat")
    assert not [key for kind, key in place.asked if kind == "get" and key.endswith(".parquet")]
    assert [key for kind, key in place.asked if kind == "range"]


def test_damage_in_a_piece_is_told(held):
    for ending, where in ((".ids", 3), (".parquet", -9), (".parquet", 9)):
        place = Watched(dict(held[None]))
        for key in [key for key in place.held if key.endswith(ending)]:
            data = bytearray(place.held[key])
            data[where] ^= 1
            place.held[key] = bytes(data)
        with pytest.raises(CorruptFileError, match="damaged"):
            Store(place).find([NAMES[None][i] for i in KEPT])
        assert len(Store(place).verify()) == 3


def test_buckets_name_the_groups_that_may_hold_an_id():
    names = [[f"{g}-{i}" for i in range(5000)] for g in range(8)]
    data, buckets, capacity = write_buckets(names)
    size = 4 * capacity + 4
    assert len(data) == buckets * size
    assert len(data) < 5.5 * 40000
    wrong = 0
    for name, group in [(f"{g}-{i}", g) for g in range(8) for i in range(0, 5000, 50)] + [
        (f"x{i}", None) for i in range(2000)
    ]:
        start = bucket_of(name, buckets) * size
        found = groups_in(data[start : start + size], name, "x")
        assert group is None or group in found
        wrong += len(found) - (group is not None)
    assert wrong <= 1

"""What lies behind the segments while a store is written: whenever that stops, and however often it is committed."""

import numpy as np
import pytest

from taskcodec.store import SampleRecord, Store, StoreWriter
from tests.store.counted import Died, Watched, watch

ROWS = 26
NEVER, ALWAYS = 1e9, 0.0


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Segments of eight chunks, with four row groups of two: chunks of one row."""
    watch(monkeypatch)
    for module in ("tail", "format.segments", "writer"):
        monkeypatch.setattr(f"taskcodec.store.{module}.GROUP_CHUNKS", 2)
    for module in ("tail", "catalogue", "format.manifest"):
        monkeypatch.setattr(f"taskcodec.store.{module}.SEGMENT_CHUNKS", 8)


@pytest.fixture(scope="module")
def coded(codec, x):
    return codec.encode(x[:ROWS])


def records(start, stop, bad=(3, 9, ROWS - 1)):
    return [SampleRecord(f"n{i:04d}", i, 10, status="bad" if i in bad else "ok") for i in range(start, stop)]


def symbols_of(coded, found):
    return coded[[record.source_index for record in found if record.status == "ok"]]


def go_on(place, codec, coded, seconds, stop=ROWS):
    """Encode so many source samples into a place, or go on with it."""
    begun = "zarr.json" in place.held
    writer = StoreWriter.open(place) if begun else StoreWriter.create(place, codec, chunk_rows=1)
    writer.commit_seconds = seconds
    with writer:
        found = records(writer.resume_point + 1, stop)
        writer.append(symbols_of(coded, found), found)
        writer.finish()
    return place


@pytest.mark.filterwarnings("ignore::taskcodec.errors.UnfinishedWarning")
@pytest.mark.parametrize("seconds", [NEVER, ALWAYS])
@pytest.mark.slow
def test_killed_at_any_put_it_ends_in_the_same_store(codec, coded, seconds):
    whole = go_on(Watched(), codec, coded, NEVER).held
    for puts in range(1000):
        place = Watched({}, puts)
        try:
            go_on(place, codec, coded, seconds)
            died = False
        except Died:
            died = True
        assert place.held == whole or died
        if "zarr.json" in place.held:
            left = Store(Watched(dict(place.held)))
            expected = symbols_of(coded, records(0, ROWS))[: len(left)]
            assert np.array_equal(left.symbols[:], expected)
            assert left.ids.tolist() == [r.id for r in records(0, ROWS) if r.status == "ok"][: len(left)]
        again = go_on(Watched(place.held), codec, coded, ALWAYS if seconds else NEVER)
        assert again.held == whole, puts
        if not died:
            break
    assert died is False
    assert puts > ROWS
    assert Store(Watched(whole)).verify() == []


@pytest.mark.filterwarnings("ignore::taskcodec.errors.UnfinishedWarning")
@pytest.mark.parametrize("first", [1, 2, 7, 8, 9, 19])
@pytest.mark.slow
def test_an_append_that_is_killed_at_any_put(codec, coded, first):
    begun = go_on(Watched(), codec, coded, NEVER, first).held
    source = {"kind": "more"}

    def append(place, source):
        with StoreWriter.open(place, source) as writer:
            writer.commit_seconds = ALWAYS
            start = first if source else max(writer.resume_point + 1, first)
            found = records(start, ROWS)
            writer.append(symbols_of(coded, found), found)
            writer.finish()

    whole = Watched(dict(begun))
    append(whole, source)
    for puts in range(1000):
        place = Watched(dict(begun), puts)
        try:
            append(place, source)
            break
        except Died:
            left = Store(Watched(dict(place.held)))
        assert np.array_equal(left.symbols[:], symbols_of(coded, records(0, ROWS))[: len(left)])
        append(Watched(place.held), source if left.manifest.state == "complete" else None)
        assert place.held == whole.held, puts
    assert puts > ROWS - first


def test_the_bytes_of_an_append_are_those_of_one_encode(codec, coded):
    whole = go_on(Watched(), codec, coded, NEVER)
    parts = go_on(Watched(), codec, coded, ALWAYS, 5)
    for stop in (6, 17, ROWS):
        go_on(parts, codec, coded, ALWAYS, stop)
    assert parts.held == whole.held


def test_one_put_a_chunk_and_few_more(codec, coded):
    place = go_on(Watched(), codec, coded, NEVER)
    puts = [key for kind, key in place.asked if kind == "put"]
    chunks = [key for key in puts if key.startswith("codes/c/")]
    assert len(chunks) == len(set(chunks)) == ROWS - 3
    others = [key for key in puts if not key.startswith("codes/c/")]
    groups, segments = -(-(ROWS - 3) // 2), 3  # a part and a manifest for each group, two files for each segment
    assert len(others) <= 2 * groups + 2 * segments + 5


def test_the_manifest_is_as_long_as_its_segments(codec, coded):
    place = Watched()
    with StoreWriter.create(place, codec, chunk_rows=1) as writer:
        writer.commit_seconds = ALWAYS
        lengths = []
        for i in range(8 * 30):
            writer.append(coded[:1], [SampleRecord(f"n{i:04d}", i, 10)])
            lengths.append(len(place.held["zarr.json"]))
        writer.finish()
    manifest = writer.manifest
    assert len(manifest.segments) == 30
    assert lengths[-1] - lengths[8 * 15 - 1] < 15 * 300
    assert max(lengths) < len(place.held["zarr.json"]) + 8 * 300
    assert sum(key.startswith("samples/") for key in place.held) == 2 * 30

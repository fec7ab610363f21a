"""How much is asked of a place to read a store of it."""

import numpy as np
import pytest

from taskcodec.store import Store, StoreWriter
from tests.store.counted import Watched, watch
from tests.store.written import records

CHUNK, CHUNKS = 8, 40


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    watch(monkeypatch)


@pytest.fixture
def place(watched, codec, x):
    place = Watched()
    with StoreWriter.create(place, codec, chunk_rows=CHUNK) as writer:
        writer.append(codec.encode(x[: CHUNK * CHUNKS]), records(CHUNK * CHUNKS))
        writer.finish()
    return place


def test_a_store_is_written_with_one_put_a_chunk_and_few_more(place):
    puts = [key for kind, key in place.asked if kind == "put"]
    assert sum(key.startswith("codes/c/") for key in puts) == CHUNKS
    assert len(puts) <= CHUNKS + 10
    assert len(place.asked) <= CHUNKS + 16


def test_ten_rows_take_ten_chunks_and_three_requests_to_open(place):
    place.asked.clear()
    store = Store(place)
    _ = store.codec
    assert len(place.asked) <= 3
    store.features[np.arange(10) * 4 * CHUNK]
    assert len(place.asked) <= 13


@pytest.mark.parametrize("read", ["ids", "labels"])
def test_columns_of_a_whole_store_take_its_segment(place, read):
    store = Store(place)
    place.asked.clear()
    assert len(getattr(store, read)) == len(store)
    assert len(place.asked) == 1


def test_columns_come_file_by_file(place):
    store = Store(place)
    (table,) = store.tables("source_index", "label")
    assert table.column_names == ["source_index", "label"]
    assert table["source_index"].to_pylist() == list(range(len(store)))
    assert store.samples.select(["source_index", "label"]).equals(table)


def test_what_is_counted_is_read_once(place):
    store = Store(place)
    place.asked.clear()
    list(store.batches())
    assert [key for _, key in place.asked if key.endswith(".json")] == []
    assert store.info().source_bytes == 100 * len(store)

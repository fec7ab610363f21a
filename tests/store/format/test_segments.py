"""Indexes made to mislead: every checksum is right, what they say is not."""

import json

import numpy as np
import pytest

from taskcodec.errors import FutureVersionError, TaskcodecError
from taskcodec.store import SampleRecord, Store, StoreWriter
from taskcodec.store.format.manifest import canonical, sha256
from tests.store.counted import Watched, watch
from tests.store.format.odd import ODD
from tests.store.format.test_manifest import changed, sites


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    watch(monkeypatch)


@pytest.fixture(params=["in order", "in none"])
def held(request, watched, codec, x):
    """Three chunks, one failure."""
    place, names = Watched(), [f"{i:03d}" for i in range(100)]
    names = names if request.param == "in order" else names[::-1]
    with StoreWriter.create(place, codec, chunk_rows=40) as writer:
        records = [SampleRecord(name, i, 24, label="a") for i, name in enumerate(names)]
        last = "~" if request.param == "in order" else "bad"
        writer.append(codec.encode(x), [*records, SampleRecord(last, 100, 1, status="broken")])
        writer.finish()
    return place.held


def everything(held):
    store = Store(Watched(held))
    found = store.ids.tolist(), store.symbols[:].tobytes(), store.failures.to_pylist(), store.info().source_bytes
    return *found, store.rows_where(label="a").tolist(), store.find(store.ids.tolist()).tolist(), store.verify()


def with_index(held, change):
    """A store whose index was changed and signed anew, as its files are named then."""
    group = json.loads(held["zarr.json"])
    content = group["attributes"]["taskcodec"]
    (segment,) = content["segments"]
    (key,) = [key for key in held if key.endswith(".json") and key.startswith("samples/")]
    index = canonical(change(json.loads(held[key])))
    before, after = segment["sha256"][:8], sha256(index)[:8]
    segment["sha256"] = sha256(index)
    group["attributes"]["taskcodec_sha256"] = sha256(canonical(content))
    found = {name.replace(before, after): data for name, data in held.items()}
    return {**found, key.replace(before, after): index, "zarr.json": json.dumps(group).encode()}


def test_an_index_signed_anew_is_refused_or_harmless_or_told(held):
    expected = everything(held)
    assert expected[-1] == []
    (key,) = [key for key in held if key.endswith(".json") and key.startswith("samples/")]
    for path in sites(json.loads(held[key])):
        for value in ODD:
            other = with_index(held, lambda content, path=path, value=value: changed(content, path, value))
            try:
                found = everything(other)
            except TaskcodecError as error:
                assert "watched" in str(error)
                continue
            assert found[-1] or found == expected, f"{path} = {value!r} passed for sound"


def test_a_newer_index_is_named(held):
    other = with_index(held, lambda content: {**content, "version": 2})
    with pytest.raises(FutureVersionError, match=r"segment-000000-\w+\.json: a newer version"):
        _ = Store(Watched(other)).features[0]


def test_every_column_of_every_group_is_listed_where_it_lies(held):
    (key,) = [key for key in held if key.endswith(".json") and key.startswith("samples/")]
    index, data = json.loads(held[key]), held[key.replace(".json", ".parquet")]
    pieces = sorted(piece for pieces in index["columns"].values() for piece in pieces)
    starts, lengths = np.array(pieces)[:, 0], np.array(pieces)[:, 1]
    assert starts[0] == 4
    assert (starts[1:] == (starts + lengths)[:-1]).all()
    assert index["footer"][0] == starts[-1] + lengths[-1]
    assert len(data) == sum(index["footer"][:2]) == index["records_bytes"]

"""Stores of several layers: what is read of them, by whom, and what is damaged."""

import pickle

import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.errors import CorruptFileError, MismatchError, UsageError
from taskcodec.store import SampleRecord, Store, StoreWriter, pack_zip
from taskcodec.store.format.manifest import read_manifest, write_manifest
from taskcodec.store.symbols import AHEAD, ahead
from tests.layered import DIMENSION, features, layered

ROWS, CHUNK = 70, 32
X = features(ROWS, seed=2)
KINDS = {"packets": layered(), "rows": layered(independent=True)}
EACH = pytest.mark.parametrize("layout", KINDS)


def written(folder, layout, rows=ROWS, begin=0):
    codec = KINDS[layout]
    with StoreWriter.create(folder, codec, chunk_rows=CHUNK) if not begin else StoreWriter.open(folder, {}) as writer:
        records = [SampleRecord(str(i), i, 10) for i in range(begin, rows)]
        writer.append(codec.encode(X[begin:rows]), records)
        writer.finish()
    return Store(folder)


def read_keys(store, monkeypatch):
    """The files that are read from here on."""
    found, get = [], store._blobs.get
    monkeypatch.setattr(store._blobs, "get", lambda key: (found.append(key), get(key))[1])
    return found


@EACH
def test_what_was_written_is_read(tmp_path, layout):
    store, codec = written(tmp_path / "s.tcz", layout), KINDS[layout]
    symbols = codec.encode(X)
    assert store.manifest.version == 3
    assert [layer.layout for layer in store.manifest.layers] == ["rows", layout]
    assert np.array_equal(store.symbols[:], symbols)
    assert np.array_equal(store.features[:], codec.decode(symbols))
    assert np.array_equal(store.features[[65, 3, 40], 2:5], codec.decode(symbols)[[65, 3, 40], 2:5])
    assert store.verify() == []
    pack_zip(tmp_path / "s.tcz", tmp_path / "s.zip")
    base = Store(tmp_path / "s.zip", upto="base")
    assert base.symbols.shape == (ROWS, DIMENSION)
    assert np.array_equal(base.to_numpy(), codec.decode(symbols, upto="base"))
    assert np.array_equal(pickle.loads(pickle.dumps(base)).features[5], base.features[5])
    assert np.array_equal(np.concatenate(list(base.batches())), base.to_numpy())


@EACH
def test_a_layer_reads_its_own_bytes_and_those_it_depends_on(tmp_path, layout, monkeypatch):
    written(tmp_path / "s.tcz", layout)
    base, whole = Store(tmp_path / "s.tcz", upto="base"), Store(tmp_path / "s.tcz")
    keys = read_keys(base, monkeypatch)
    base.to_numpy()
    assert sorted(keys) == ["codec.safetensors", *(f"layers/base/c/{index}/0" for index in range(3))]
    keys = read_keys(whole, monkeypatch)
    _ = whole.features[40]
    behind = "/0" if layout == "rows" else ""
    assert sorted(keys) == ["codec.safetensors", "layers/base/c/1/0", f"layers/detail/c/1{behind}"]


@EACH
def test_appended_in_parts_it_is_the_same_store(tmp_path, layout):
    written(tmp_path / "a.tcz", layout)
    written(tmp_path / "b.tcz", layout, 20)
    written(tmp_path / "b.tcz", layout, 50, 20)
    written(tmp_path / "b.tcz", layout, ROWS, 50)
    for file in (tmp_path / "a.tcz" / "layers").rglob("*"):
        if file.is_file():
            assert file.read_bytes() == (tmp_path / "b.tcz" / file.relative_to(tmp_path / "a.tcz")).read_bytes()


@EACH
def test_plain_zarr_reads_each_layer(tmp_path, layout):
    store = written(tmp_path / "s.tcz", layout)
    group = zarr.open(tmp_path / "s.tcz", mode="r")
    assert np.array_equal(group["layers/base"][:], Store(tmp_path / "s.tcz", upto="base").symbols[:])
    detail = group["layers/detail"][:]
    if layout == "rows":
        assert np.array_equal(detail, store.symbols[:, DIMENSION:])
    else:
        packets = KINDS[layout].compress(X)
        assert all(packet.endswith(item) for packet, item in zip(packets, detail.tolist(), strict=True))


@EACH
def test_damage_in_a_layer_is_named_and_spares_the_others(tmp_path, layout):
    store = written(tmp_path / "s.tcz", layout)
    key = store.manifest.chunk_key(store.manifest.layers[1], 1)
    file = tmp_path / "s.tcz" / key
    whole = file.read_bytes()
    for damaged, words in ((whole[:-5] + whole[-4:], "CRC-32C"), (b"", "damaged"), (None, "missing")):
        file.unlink()
        if damaged is not None:
            file.write_bytes(damaged)
        assert len(Store(tmp_path / "s.tcz", upto="base").to_numpy()) == ROWS
        with pytest.raises(CorruptFileError, match=rf"{key}: .*{words}"):
            Store(tmp_path / "s.tcz").to_numpy()
        assert any(key in fault for fault in Store(tmp_path / "s.tcz").verify())


def test_another_chunk_in_the_place_of_one_is_told(tmp_path):
    store = written(tmp_path / "s.tcz", "packets")
    first, second = (tmp_path / "s.tcz" / store.manifest.chunk_key(store.manifest.layers[1], i) for i in (0, 1))
    second.write_bytes(first.read_bytes())
    with pytest.raises(CorruptFileError, match="layers/detail/c/1"):
        Store(tmp_path / "s.tcz").to_numpy()


def test_layers_that_are_none_are_refused(tmp_path):
    from dataclasses import replace

    store = written(tmp_path / "s.tcz", "rows")
    with pytest.raises(UsageError, match="layer 'top' is none of this codec's: base, detail"):
        _ = Store(tmp_path / "s.tcz", upto="top").features[:]
    base, detail = store.manifest.layers
    lies = ((detail,), (base, base), (base, replace(detail, name="../x")), (base, replace(detail, layout="heap")))
    for layers in lies:
        write_manifest(store._blobs, replace(store.manifest, layers=layers))
        with pytest.raises(CorruptFileError, match=r"zarr\.json: invalid layers"):
            read_manifest(store._blobs)
    write_manifest(store._blobs, replace(store.manifest, layers=(base, replace(detail, name="other"))))
    with pytest.raises(MismatchError, match="not those of its codec"):
        Store(tmp_path / "s.tcz").to_numpy()


def test_a_store_of_one_layer_stays_version_1(tmp_path):
    codec = taskcodec.fit(X, bits=30)
    with StoreWriter.create(tmp_path / "s.tcz", codec) as writer:
        writer.append(codec.encode(X), [SampleRecord(str(i), i, 10) for i in range(ROWS)])
        assert writer.finish().version == 1
    assert (tmp_path / "s.tcz" / "codes" / "c" / "0" / "0").exists()


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_few_chunks_are_read_ahead_and_no_more(threads):
    begun = []

    def read(item):
        begun.append(item)
        if item == 30:
            raise CorruptFileError("chunk 30")
        return item * 2

    for used, found in enumerate(ahead(read, range(30), threads)):
        assert found == 2 * used
        assert max(begun) <= used + AHEAD + 1
    assert len(begun) == 30
    with pytest.raises(CorruptFileError, match="chunk 30"):
        list(ahead(read, range(28, 40), threads))
    left = ahead(read, range(20), threads)
    next(left)
    left.close()  # what waits is not read any more


def test_what_is_damaged_is_told_where_it_is_met(tmp_path):
    written(tmp_path / "s.tcz", "rows")
    (tmp_path / "s.tcz" / "layers" / "base" / "c" / "1" / "0").unlink()
    batches = Store(tmp_path / "s.tcz").batches()
    assert len(next(batches)) == CHUNK
    with pytest.raises(CorruptFileError, match="c/1/0: missing"):
        next(batches)

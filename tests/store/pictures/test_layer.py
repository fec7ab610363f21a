"""Stores of pictures: what is read of them, what they have instead of features, damage."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import zarr

pytest.importorskip("torch")

import taskcodec
from taskcodec.api.decode import decode_to_folder
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.store import SampleRecord, Store, StoreWriter, pack_zip
from taskcodec.store.backend import open_blobs
from tests.pictured import SIZES, alone, layered, picture

CODEC = layered()
PICTURES = [picture(*size, seed) for seed in range(2) for size in SIZES]
CHUNK = 5


def rows(pictures):
    found = np.empty((len(pictures), len(CODEC.layers)), object)
    found[:] = [CODEC.pictures.items(each) for each in pictures]
    return found


def written(folder, begin=0, end=None):
    kept = CODEC.for_store("p.codec")
    opened = StoreWriter.open(folder, {}) if begin else StoreWriter.create(folder, kept, chunk_rows=CHUNK)
    with opened as writer:
        end = len(PICTURES) if end is None else end
        records = [SampleRecord(f"{i}.png", i, 10) for i in range(begin, end)]
        writer.append(rows(PICTURES[begin:end]), records)
        writer.finish()
    return Store(folder)


def read_of(store, monkeypatch):
    """The files that are read from here on, whole or in part."""
    found, get, get_range = [], store._blobs.get, store._blobs.get_range
    monkeypatch.setattr(store._blobs, "get", lambda key: (found.append(key), get(key))[1])
    monkeypatch.setattr(store._blobs, "get_range", lambda key, *where: (found.append(key), get_range(key, *where))[1])
    return found


def test_each_layer_gives_the_pictures_that_were_written(tmp_path):
    store = written(tmp_path / "s.tcz")
    assert (store.manifest.version, store.layers) == (4, ("base", "detail"))
    assert store.verify() == []
    assert str(store).endswith(f"{len(PICTURES)} pictures>")
    assert store.codec.layers[0].transform.networks.g_a is None
    pack_zip(tmp_path / "s.tcz", tmp_path / "s.zip")
    for opened in (store, Store(tmp_path / "s.zip"), pickle.loads(pickle.dumps(store))):
        for name in store.layers:
            layer = opened.layer(name)
            assert len(layer) == len(PICTURES)
            for found, x in zip(layer, PICTURES, strict=True):
                assert np.array_equal(found, CODEC.decompress(CODEC.compress(x), name))
            assert np.array_equal(layer[-1], layer[len(PICTURES) - 1])
            with pytest.raises(IndexError, match="out of range"):
                layer[len(PICTURES)]
    symbols = CODEC.pictures.encode(PICTURES[7])
    assert np.array_equal(store.layer("detail").symbols(7), symbols["detail"][0])


def test_only_the_bytes_of_the_layers_asked_for_are_read(tmp_path, monkeypatch):
    store = written(tmp_path / "s.tcz")
    base, detail = store.layer("base"), store.layer("detail")
    keys = read_of(store, monkeypatch)
    base[4]
    base[2]
    assert keys == ["layers/base/c/0"] * 3  # where items lie, and two items
    keys.clear()
    detail[6]
    assert {key.split("/")[1] for key in keys} == {"base", "detail"}


def test_row_after_row_chunks_are_read_at_once(tmp_path, monkeypatch):
    store = written(tmp_path / "s.tcz")
    layer = store.layer("detail")
    keys = read_of(store, monkeypatch)
    assert [x.shape for x in layer] == [x.shape for x in PICTURES]
    # Of each of 3 chunks and 2 layers: where items lie, the first item, and then all.
    assert len(keys) == 3 * 2 * 3


def test_plain_zarr_gives_the_items(tmp_path):
    written(tmp_path / "s.tcz")
    found = zarr.open(tmp_path / "s.tcz", mode="r")["layers/detail"]
    assert found.shape == (len(PICTURES),)
    assert found[8].item() == CODEC.pictures.items(PICTURES[8])[1]


def test_an_append_goes_on(tmp_path):
    written(tmp_path / "a.tcz", end=7)
    store = written(tmp_path / "a.tcz", begin=7)
    other = written(tmp_path / "b.tcz")
    assert store.verify() == []
    assert [x.tolist() for x in store.layer("detail")] == [x.tolist() for x in other.layer("detail")]


def test_info_tells_bytes_a_layer(tmp_path):
    found = written(tmp_path / "s.tcz").info()
    sizes = open_blobs(tmp_path / "s.tcz").sizes()
    for name in ("base", "detail"):
        assert found.layers[name].bytes == sum(n for key, n in sizes.items() if key.startswith(f"layers/{name}/c/"))
    assert found.code_bytes == sum(layer.bytes for layer in found.layers.values())
    assert found.dimension == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.features,
        lambda store: store.symbols,
        lambda store: store.to_numpy(),
        lambda store: list(store.batches()),
        lambda store: store.torch(),
        lambda store: store.torch(style="iterable"),
        lambda store: store.to_pandas(),
        lambda store: store.to_parquet("x.parquet"),
        lambda store: taskcodec.decode(store.place),
    ],
)
def test_what_needs_features_says_that_there_are_none(tmp_path, use):
    with pytest.raises(UsageError, match=r"s\.tcz: holds pictures, which have no features; .*base, detail"):
        use(written(tmp_path / "s.tcz", end=2))


def test_damage_is_told_and_leaves_the_base_readable(tmp_path):
    store = written(tmp_path / "s.tcz")
    path = tmp_path / "s.tcz" / "layers" / "detail" / "c" / "1"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(20):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        assert any("layers/detail/c/1" in fault for fault in Store(tmp_path / "s.tcz").verify())
        opened = Store(tmp_path / "s.tcz")
        assert all(x.shape == y.shape for x, y in zip(opened.layer("base"), PICTURES, strict=True))
        for row in range(5, 10):
            try:
                found = opened.layer("detail")[row]
            except CorruptFileError as error:
                assert "s.tcz" in str(error)
            else:
                assert np.array_equal(found, CODEC.decompress(CODEC.compress(PICTURES[row])))
    path.unlink()
    assert any("missing" in fault for fault in store.verify())
    told = decode_to_folder(tmp_path / "s.tcz", "detail", tmp_path / "out")
    assert [name for name, _ in told.damaged] == [f"{row}.png" for row in range(5, min(10, len(PICTURES)))]
    assert all("layers/detail/c/1: missing" in fault for _, fault in told.damaged)
    assert told.files == len(list((tmp_path / "out").iterdir())) == len(PICTURES) - len(told.damaged)


def test_a_damaged_chunk_is_read_whole_once(tmp_path, monkeypatch):
    path = tmp_path / "s.tcz" / "layers" / "base" / "c" / "0"
    written(tmp_path / "s.tcz")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # of the checksum of the chunk alone: its pictures are sound
    path.write_bytes(data)
    store = Store(tmp_path / "s.tcz")
    layer, got, get = store.layer("base"), [], store._blobs.get
    monkeypatch.setattr(store._blobs, "get", lambda key: (got.append(key), get(key))[1])
    assert not any(isinstance(each, CorruptFileError) for each in layer.of_sources(range(CHUNK)))
    assert got.count("layers/base/c/0") == 1


def test_items_in_each_others_places_are_told(tmp_path):
    folder = tmp_path / "s.tcz"
    written(folder)
    for name in ("base", "detail"):
        chunks = folder / "layers" / name / "c"
        (chunks / "0").rename(chunks / "x")
        (chunks / "1").rename(chunks / "0")
        (chunks / "x").rename(chunks / "1")
    assert len(Store(folder).verify()) == 2


def test_opening_and_reading_symbols_needs_no_torch(tmp_path):
    written(tmp_path / "s.tcz")
    script = f"""
import sys
import taskcodec
store = taskcodec.open({str(tmp_path / "s.tcz")!r})
assert store.layer("detail").symbols(3).shape[0] == 5
assert store.verify() == []
store.info()
assert "torch" not in sys.modules and "PIL" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_layer_of_answers_gives_them_as_arrays(tmp_path):
    codec = alone(outputs=2)
    items = np.empty((len(PICTURES), 1), object)
    items[:] = [codec.pictures.items(each) for each in PICTURES]
    with StoreWriter.create(tmp_path / "s.tcz", codec.for_store("p.codec"), chunk_rows=CHUNK) as writer:
        writer.append(items, [SampleRecord(f"{i}.png", i, 10) for i in range(len(PICTURES))])
        writer.finish()
    layer = Store(tmp_path / "s.tcz").layer("base")
    for row, x in enumerate(PICTURES):
        expected = codec.pictures.values(codec.begin(codec.compress(x)))
        assert expected.shape == (2, *x.shape[:2])
        assert np.array_equal(layer[row], expected)
    written = decode_to_folder(tmp_path / "s.tcz", "base", tmp_path / "answers")
    assert written.files == len(PICTURES)
    assert np.array_equal(np.load(tmp_path / "answers" / "0.png.npy"), layer[0])

"""Bitstreams made once decode to the same symbols, on every machine and Python. Needs no torch."""

import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding import (
    Tables,
    decode_block,
    decode_sample,
    encode_block,
    encode_sample,
    read_model,
    read_tables,
)
from taskcodec.coding.picture import decode_layer, encode_layer
from taskcodec.errors import CorruptFileError
from taskcodec.store import Store, StoreWriter
from tests.coding.golden_lossless import PICTURES, golden_lossless, write_lossless
from tests.coding.golden_overfitted import (
    golden_overfitted_codec,
    golden_overfitted_packet,
    golden_overfitted_symbols,
)
from tests.coding.golden_pictures import (
    SIZES,
    golden_blocks_codec,
    golden_grain_codec,
    golden_picture_codec,
    golden_picture_packet,
    golden_picture_symbols,
    golden_preview_codec,
    write_pictures,
)
from tests.coding.golden_spatial import golden_spatial
from tests.coding.make_golden import (
    FOLDER,
    golden_axes,
    golden_codec,
    golden_conditional,
    golden_features,
    golden_kinds,
    golden_latents,
    golden_layers,
    golden_layers_features,
    golden_layers_symbols,
    golden_records,
    golden_symbols,
    golden_tables,
    write_store,
)


@pytest.fixture
def tables():
    return Tables.from_bytes((FOLDER / "tables.bin").read_bytes())


def test_tables_are_canonical(tables):
    assert np.array_equal(tables.counts, golden_tables(40).counts)


@pytest.mark.parametrize("threads", [1, 2])
def test_block(tables, threads):
    data, symbols = (FOLDER / "block.bin").read_bytes(), golden_symbols(300, 40, 1)
    with ThreadPoolExecutor(threads) as pool:
        for decoded in pool.map(lambda _: decode_block(data, 300, tables), range(4)):
            assert np.array_equal(decoded, symbols)
    assert encode_block(symbols, tables) == data


@pytest.mark.parametrize("rows", [1, 7, 128, 300])
def test_any_chunking_gives_the_same_symbols(tables, rows):
    symbols = golden_symbols(300, 40, 1)
    for start in range(0, 300, rows):
        part = symbols[start : start + rows]
        assert np.array_equal(decode_block(encode_block(part, tables), len(part), tables), part)


def test_sample(tables):
    data, symbols = (FOLDER / "sample.bin").read_bytes(), golden_symbols(1, 40, 2)[0]
    assert np.array_equal(decode_sample(data, tables), symbols)
    assert encode_sample(symbols, tables) == data


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_conditional_tables(rows):
    conditional = read_tables((FOLDER / "conditional_tables.bin").read_bytes())
    assert conditional.to_bytes() == (FOLDER / "conditional_tables.bin").read_bytes()
    again = golden_conditional()
    symbols = again.with_side(golden_symbols(300, 36, 6))
    assert np.array_equal(conditional.with_side(symbols[:, 4:]), symbols)
    block, sample = ((FOLDER / f"conditional_{what}.bin").read_bytes() for what in ("block", "sample"))
    for tables in (conditional, again):
        assert np.array_equal(decode_block(block, 300, tables), symbols)
        assert encode_block(symbols, tables) == block
        assert np.array_equal(decode_sample(sample, tables), symbols[7])
        assert encode_sample(symbols[7], tables) == sample
    for start in range(0, 300, rows):
        part = symbols[start : start + rows]
        assert np.array_equal(decode_block(encode_block(part, again), len(part), conditional), part)


def test_spatial_tables():
    tables, (symbols, below) = golden_spatial(golden_symbols, golden_tables), golden_latents()
    data, layer = ((FOLDER / f"spatial_{what}.bin").read_bytes() for what in ("tables", "layer"))
    for model in (tables, read_model("spatial", {"tables": np.frombuffer(data, np.uint8)})):
        assert np.array_equal(decode_layer(layer, model, (5, 7), (below,), (70, 100)), symbols)
        assert encode_layer(symbols, model, (below,), (70, 100)) == layer
    assert model.to_bytes() == data


def test_pictures(tmp_path):
    codec, made = taskcodec.load_codec(FOLDER / "pictures.codec"), golden_picture_codec(golden_symbols, golden_tables)
    assert codec.to_bytes() == (FOLDER / "pictures.codec").read_bytes()
    assert codec.fingerprint == made.fingerprint
    packet, store = (FOLDER / "pictures_packet.bin").read_bytes(), Store(FOLDER / "pictures.tcz")
    assert golden_picture_packet(codec, golden_symbols, 2) == packet
    assert (store.manifest.version, store.codec.fingerprint) == (4, codec.for_store("elsewhere").fingerprint)
    assert store.verify() == []
    for number, size in enumerate(SIZES):
        for name, symbols in golden_picture_symbols(golden_symbols, number).items():
            found = store.layer(name).decoded(number)
            assert found.size == size
            assert np.array_equal(found.symbols[name], symbols)
            if number == 2:
                assert np.array_equal(codec.begin(packet, name).symbols[name], symbols)
    write_pictures(tmp_path / "s.tcz", codec, golden_symbols, golden_records)
    for file in (FOLDER / "pictures.tcz" / "layers").rglob("c/*"):
        assert (tmp_path / "s.tcz" / file.relative_to(FOLDER / "pictures.tcz")).read_bytes() == file.read_bytes()


def test_overfitted():
    codec = taskcodec.load_codec(FOLDER / "overfitted.codec")
    assert codec.to_bytes() == (FOLDER / "overfitted.codec").read_bytes()
    assert codec.fingerprint == golden_overfitted_codec(golden_symbols, golden_tables).fingerprint
    packet = (FOLDER / "overfitted_packet.bin").read_bytes()
    wanted = golden_overfitted_symbols(golden_symbols, (13, 30))
    assert golden_overfitted_packet(codec, golden_symbols, (13, 30)) == packet
    assert np.array_equal(codec.begin(packet).symbols["picture"], wanted)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("threads", [1, 2])
def test_lossless(tmp_path, name, threads):
    data, (made, values) = (FOLDER / f"lossless_{name}.codec").read_bytes(), golden_lossless(name)
    codec, store = Codec.from_bytes(data), Store(FOLDER / f"lossless_{name}.tcz", threads)
    assert codec.to_bytes() == data
    assert codec.fingerprint == made.fingerprint == store.codec.fingerprint
    assert store.manifest.version == 5
    assert store.verify() == []
    assert np.array_equal(store.values[:], values)
    for written in (codec, made):
        assert np.array_equal(codec.decompress(written.compress(values[:3])), values[:3])
    write_lossless(tmp_path / "s.tcz", name)
    for file in (FOLDER / f"lossless_{name}.tcz" / "layers").rglob("*"):
        if file.is_file():
            assert (
                tmp_path / "s.tcz" / file.relative_to(FOLDER / f"lossless_{name}.tcz")
            ).read_bytes() == file.read_bytes()


def test_previews():
    data, codec = (FOLDER / "preview.codec").read_bytes(), taskcodec.load_codec(FOLDER / "preview.codec")
    assert codec.to_bytes() == data
    assert codec.fingerprint == golden_preview_codec(golden_symbols, golden_tables).fingerprint
    networks = codec.base.transform.networks
    assert networks.g_p.sha256 != networks.g_s.sha256
    # It is part of what the codec is, and a store's copy keeps it.
    assert codec.fingerprint != taskcodec.load_codec(FOLDER / "pictures.codec").fingerprint
    assert codec.for_store("codec").base.transform.networks.g_p.sha256 == networks.g_p.sha256


def test_blocks_and_what_is_fed_noise():
    data, codec = (FOLDER / "blocks.codec").read_bytes(), taskcodec.load_codec(FOLDER / "blocks.codec")
    assert codec.to_bytes() == data
    assert codec.fingerprint == golden_blocks_codec(golden_symbols, golden_tables).fingerprint
    transform = codec.base.transform
    assert (transform.networks.g_a.name, transform.g_s.name, transform.noise_columns) == (
        "blocks",
        "blocks_synthesis",
        1,
    )
    assert codec.for_store("codec").base.transform.networks.g_r.sha256 == transform.networks.g_r.sha256


def test_grain():
    data, codec = (FOLDER / "grain.codec").read_bytes(), taskcodec.load_codec(FOLDER / "grain.codec")
    assert codec.to_bytes() == data
    assert codec.fingerprint == golden_grain_codec(golden_symbols, golden_tables).fingerprint
    grain = codec.base.transform.networks.grain
    assert codec.base.transform.noise_columns == grain.sizes["given"][-1] == 4 + 16
    assert codec.for_store("codec").base.transform.networks.grain.sha256 == grain.sha256


def test_grain_beside_a_second_synthesis_is_refused():
    codec = golden_grain_codec(golden_symbols, golden_tables)
    transform = codec.base.transform
    other = golden_blocks_codec(golden_symbols, golden_tables).base.transform.networks.g_r
    with pytest.raises(CorruptFileError, match="what looks real is one of them"):
        replace(transform, networks=replace(transform.networks, g_r=other))


def test_codec():
    data, codec = (FOLDER / "golden.codec").read_bytes(), taskcodec.load_codec(FOLDER / "golden.codec")
    assert codec.to_bytes() == data
    symbols = golden_symbols(1, 40, 2)
    assert np.array_equal(codec.decompress((FOLDER / "sample.bin").read_bytes()), golden_features(symbols)[0])
    near = np.abs(symbols) < 100
    assert np.array_equal(codec.encode(codec.decode(symbols))[near], symbols[near])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "version"), [("golden.tcz", 1), ("segments.tcz", 3)])
def test_store(name, version, threads):
    store, symbols = Store(FOLDER / name, threads), golden_symbols(300, 40, 1)
    records = golden_records(300)
    assert json.loads((FOLDER / name / "zarr.json").read_text())["attributes"]["taskcodec"]["version"] == version
    assert np.array_equal(store.symbols[:], symbols)
    assert np.array_equal(store.features[:], golden_features(symbols).astype(np.float32))
    assert np.array_equal(zarr.open(FOLDER / name, mode="r")["codes"][:], symbols)
    assert store.ids.tolist() == [record.id for record in records[:300]]
    assert store.labels.tolist() == [record.label for record in records[:300]]
    assert store.failures.to_pylist() == [vars(records[300])]
    assert store.verify() == []


@pytest.mark.parametrize("name", ["golden.tcz", "unfinished.tcz"])
def test_what_was_begun_is_gone_on_with(tmp_path, name):
    place, symbols = shutil.copytree(FOLDER / name, tmp_path / name), golden_symbols(340, 40, 1)
    source = None if name == "unfinished.tcz" else {"kind": "more"}
    with StoreWriter.open(place, source) as writer:
        start = writer.resume_point + 1 if source is None else 300
        writer.append(symbols[start:], golden_records(340)[start:])
        writer.finish()
    store = Store(place)
    assert np.array_equal(store.symbols[:], symbols)
    assert store.manifest.version == 3
    assert store.verify() == []


KINDS = golden_kinds()
VERSIONS = {"golden": 1, "conditional": 2, "axes": 3, "shared": 3, "dependent": 6, "dependent_shared": 6}


@pytest.mark.parametrize("kind", KINDS)
def test_codecs_of_later_versions(kind):
    made, symbols, features = KINDS[kind]
    codec = taskcodec.load_codec(FOLDER / f"{kind}.codec")
    assert codec.fingerprint == made.fingerprint
    np.testing.assert_allclose(codec.decode(symbols), features, rtol=1e-6, atol=1e-7)
    packets = [encode_sample(row, codec.base.model) for row in symbols[:9]]
    np.testing.assert_allclose(codec.decompress(packets), features[:9], rtol=1e-6, atol=1e-7)
    assert [encode_sample(row, made.base.model) for row in symbols[:9]] == packets


def test_numbers_of_axes():
    axes, made = taskcodec.load_codec(FOLDER / "axes.codec").base.transform.axes, golden_axes()
    assert np.array_equal(axes.integers, made.integers)
    assert np.array_equal(axes.exponents, made.exponents)
    assert np.array_equal(axes.synthesis, (made.integers * 2.0**made.exponents).T)


@pytest.mark.parametrize("kind", VERSIONS)
@pytest.mark.parametrize("file", ["{}.codec", "{}.tcz/codec.safetensors"])
def test_what_was_read_is_written_byte_for_byte(file, kind, monkeypatch):
    """Also by another build of zlib."""
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    data = (FOLDER / file.format(kind)).read_bytes()
    codec = Codec.from_bytes(data)
    assert codec.to_bytes() == data
    assert replace(codec, backbone=None).to_bytes() == data
    manifest = json.loads(json.loads(data[8:][: int.from_bytes(data[:8], "little")])["__metadata__"]["taskcodec"])
    assert (manifest["version"], manifest["fingerprint"]) == (VERSIONS[kind], codec.fingerprint)


def test_the_bundled_codec_is_written_as_it_was(monkeypatch):
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    data = resources.files("taskcodec").joinpath("bundled/lite0.codec").read_bytes()
    assert taskcodec.load_codec("lite0").to_bytes() == data


@pytest.mark.parametrize("kind", KINDS)
def test_stores_of_later_versions(kind, monkeypatch):
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    _, symbols, features = KINDS[kind]
    store, records = Store(FOLDER / f"{kind}.tcz"), golden_records(150)
    assert np.array_equal(store.symbols[:], symbols)
    np.testing.assert_allclose(store.features[:], features, rtol=1e-6, atol=1e-7)
    assert np.array_equal(zarr.open(FOLDER / f"{kind}.tcz", mode="r")["codes"][:], symbols)
    assert store.ids.tolist() == [record.id for record in records[:150]]
    assert store.verify() == []


def test_layers():
    codec, made, symbols = taskcodec.load_codec(FOLDER / "layers.codec"), golden_layers(), golden_layers_symbols(150)
    assert codec.to_bytes() == (FOLDER / "layers.codec").read_bytes()
    assert codec.fingerprint == made.fingerprint
    packet = (FOLDER / "layers_packet.bin").read_bytes()
    assert made.packets(symbols[:1]) == [packet]
    for name, features in golden_layers_features(symbols).items():
        np.testing.assert_allclose(codec.decompress(packet, upto=name), features[0], rtol=1e-6)
        for file in ("layers.tcz", "layers_segments.tcz"):
            store = Store(FOLDER / file, upto=name)
            np.testing.assert_allclose(store.features[:], features, rtol=1e-6)
            assert store.verify() == []


def test_layers_written_again_have_the_same_codes(tmp_path):
    write_store(tmp_path / "layers.tcz", golden_layers(), golden_layers_symbols(150))
    files = [file.relative_to(FOLDER) for file in (FOLDER / "layers.tcz" / "layers").rglob("*") if file.is_file()]
    assert len(files) == 3 * (1 + 2)
    for file in files:
        if file.name != "zarr.json":
            assert (tmp_path / file).read_bytes() == (FOLDER / file).read_bytes(), file


@pytest.mark.parametrize("kind", ["golden", *KINDS])
def test_a_store_written_again_has_the_same_codes(tmp_path, kind):
    codec, symbols = KINDS[kind][:2] if kind in KINDS else (golden_codec(40), golden_symbols(300, 40, 1))
    write_store(tmp_path / "again.tcz", codec, symbols)
    for index in range(-(-len(symbols) // 128)):
        key = f"{kind}.tcz/codes/c/{index}/0"
        assert (tmp_path / f"again.{key.partition('.')[2]}").read_bytes() == (FOLDER / key).read_bytes(), key

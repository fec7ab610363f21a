"""Bitstreams made once decode to the same symbols, on every machine and Python. Needs no torch."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding import Tables, decode_block, decode_sample, encode_block, encode_sample, read_tables
from taskcodec.store import Store
from tests.coding.make_golden import (
    FOLDER,
    golden_conditional,
    golden_features,
    golden_records,
    golden_symbols,
    golden_tables,
    write_golden_store,
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


def test_codec():
    data, codec = (FOLDER / "golden.codec").read_bytes(), taskcodec.load_codec(FOLDER / "golden.codec")
    assert codec.to_bytes() == data
    symbols = golden_symbols(1, 40, 2)
    assert np.array_equal(codec.decompress((FOLDER / "sample.bin").read_bytes()), golden_features(symbols)[0])
    near = np.abs(symbols) < 100
    assert np.array_equal(codec.encode(codec.decode(symbols))[near], symbols[near])


@pytest.mark.parametrize("threads", [1, 2])
def test_store(threads):
    store, symbols = Store(FOLDER / "golden.tcz", Codec.from_bytes, threads), golden_symbols(300, 40, 1)
    records = golden_records(300)
    assert np.array_equal(store.symbols[:], symbols)
    assert np.array_equal(store.features[:], golden_features(symbols).astype(np.float32))
    assert np.array_equal(zarr.open(FOLDER / "golden.tcz", mode="r")["codes"][:], symbols)
    assert store.ids.tolist() == [record.id for record in records[:300]]
    assert store.labels.tolist() == [record.label for record in records[:300]]
    assert store.failures.to_pylist() == [vars(records[300])]
    assert store.verify() == []


def test_a_store_written_again_has_the_same_codes(tmp_path):
    write_golden_store(tmp_path / "again.tcz")
    for key in ("codes/c/0/0", "codes/c/1/0", "codes/c/2/0"):
        assert (tmp_path / "again.tcz" / key).read_bytes() == (FOLDER / "golden.tcz" / key).read_bytes(), key

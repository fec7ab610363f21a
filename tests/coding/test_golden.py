"""Bitstreams made once decode to the same symbols, on every machine and Python. Needs numpy and constriction only."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from taskcodec.coding import Tables, decode_block, decode_sample, encode_block, encode_sample
from tests.coding.make_golden import FOLDER, golden_symbols, golden_tables


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

"""Decoded features that are kept for the next epoch."""

import multiprocessing
import pickle
import shutil

import numpy as np
import pytest

from taskcodec.store.views.decoded import DecodedRows
from tests.store.views.stored import D, stored

ROWS, CHUNK = 75, 16


def numbers(features):
    return np.round(features[:, 0]).astype(int).tolist()


@pytest.mark.parametrize("chunks", [0, 1, 3, 5, 9])
def test_rows_are_those_of_the_store_however_many_are_kept(tmp_path, chunks):
    store = stored(tmp_path / "x.tcz", [None] * ROWS, CHUNK)
    decoded = DecodedRows(store, chunks * CHUNK * D * 4)
    order = np.random.default_rng(0).permutation(ROWS)
    for _ in range(2):
        for index in (order, order[:1], order[:0], np.array([74, 0, 74])):
            found = decoded[index]
            assert (found.shape, found.dtype) == ((len(index), D), np.float32)
            assert numbers(found) == index.tolist()
            found[:] = -1  # a new array: what is kept stays as it was


@pytest.mark.parametrize(("chunks", "kept"), [(5, range(75)), (2, range(32)), (0, range(0))])
def test_what_is_kept_is_not_read_again(tmp_path, chunks, kept):
    store = stored(tmp_path / "x.tcz", [None] * ROWS, CHUNK)
    decoded = DecodedRows(store, chunks * CHUNK * D * 4)
    assert numbers(decoded[np.arange(ROWS)]) == list(range(ROWS))
    store.close()  # lets go of its own chunks
    shutil.rmtree(tmp_path / "x.tcz")
    assert numbers(decoded[np.array(kept, np.int64)]) == list(kept)
    if len(kept) < ROWS:
        with pytest.raises(Exception, match=r"x\.tcz"):
            decoded[np.array([ROWS - 1])]


def read_all(decoded):
    decoded[np.arange(ROWS)]


def test_forked_processes_share_what_they_decode(tmp_path):
    decoded = DecodedRows(stored(tmp_path / "x.tcz", [None] * ROWS, CHUNK), 2**20)
    worker = multiprocessing.get_context("fork").Process(target=read_all, args=(decoded,))
    worker.start()
    worker.join()
    shutil.rmtree(tmp_path / "x.tcz")
    assert numbers(decoded[np.arange(ROWS)]) == list(range(ROWS))


def test_a_copy_in_another_process_keeps_its_own(tmp_path):
    decoded = DecodedRows(stored(tmp_path / "x.tcz", [None] * ROWS, CHUNK), 2**20)
    read_all(decoded)
    sent = pickle.dumps(decoded)
    assert len(sent) < 5000
    assert numbers(pickle.loads(sent)[np.arange(ROWS)]) == list(range(ROWS))

"""Shares of the samples for ranks, and parts of them for workers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.store.views.shares import (
    MIXED_CHUNKS,
    Share,
    chunks_in_order,
    cut,
    in_batches,
    part_of,
    reordered,
    rows_of,
)


def rows(stretches, key=None):
    return [row for part in rows_of(stretches, key) for row in part.tolist()]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 17), st.booleans(), st.integers(1, 7), st.integers(1, 4))
def test_shares_and_parts_hold_every_sample_and_are_equal(samples, chunk_rows, shuffle, ranks, workers):
    chunks = chunks_in_order(samples, chunk_rows, (3, 0) if shuffle else None)
    shares, sizes = [], set()
    for rank in range(ranks):
        places, own = Share(rank, ranks).of(samples), (3, 0, rank) if shuffle else None
        share = reordered(cut(chunks, places), own)
        parts = [part_of(range(len(places)), worker, workers) for worker in range(workers)]
        sizes.add(tuple(map(len, parts)))
        shares.append([row for part in parts for row in rows(cut(share, part), own)])
    assert len(sizes) == 1, "as many rows on every rank, in every worker: none waits for another"
    assert {len(share) for share in shares} == {-(-samples // ranks)}
    given_out = [row for share in shares for row in share]
    assert sorted(set(given_out)) == list(range(samples))
    assert len(given_out) - samples < ranks
    assert shuffle or given_out[:samples] == list(range(samples))


def test_rows_of_several_chunks_are_mixed():
    chunks = chunks_in_order(1000, 100, None)
    first = next(rows_of(chunks, (1,)))
    assert sorted(first.tolist()) == list(range(100 * MIXED_CHUNKS))
    assert {row // 100 for row in first[:50].tolist()} == set(range(MIXED_CHUNKS))
    assert rows(chunks, (1,)) == rows(chunks, (1,)) != rows(chunks, (2,))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_batches_hold_the_same_rows_in_order(lengths, size):
    ends = np.cumsum(lengths)
    arrays = [np.arange(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    batches = list(in_batches(((rows, np.float32(rows)[:, None]) for rows in arrays), size))
    assert all(len(rows) == size for rows, _ in batches[:-1])
    assert [row for rows, _ in batches for row in rows.tolist()] == list(range(sum(lengths)))
    assert all(np.array_equal(rows, features[:, 0]) for rows, features in batches)

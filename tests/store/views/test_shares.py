"""Shares of the samples for ranks, and parts of them for workers."""

from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.store.views.shares import Order, Share, part_of


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 17), st.booleans(), st.integers(1, 7), st.integers(1, 4))
def test_shares_and_parts_hold_every_sample_and_are_equal(samples, chunk_rows, shuffle, ranks, workers):
    order = Order(samples, chunk_rows, shuffle, (3, 0, 0))
    shares, sizes = [], set()
    for rank in range(ranks):
        places = Share(rank, ranks).of(samples)
        parts = [part_of(places, worker, workers) for worker in range(workers)]
        sizes.add(tuple(map(len, parts)))
        shares.append([row for part in parts for rows in order.rows(part) for row in rows.tolist()])
    assert len(sizes) == 1, "as many rows on every rank, in every worker: none waits for another"
    assert {len(share) for share in shares} == {-(-samples // ranks)}
    given_out = [row for share in shares for row in share]
    assert sorted(set(given_out)) == list(range(samples))
    assert len(given_out) - samples < ranks
    whole = [row for rows in order.rows(range(samples)) for row in rows.tolist()]
    assert given_out[:samples] == whole
    assert shuffle or whole == list(range(samples))

"""How much of a source a worker takes at once."""

import pytest

from taskcodec.engines.ray.stream import MOST_STRETCHES, stretch_length


@pytest.mark.parametrize(
    ("batches", "workers", "most", "length"),
    [(0, 2, 8, 1), (3, 2, 8, 1), (64, 2, 8, 8), (16, 2, 8, 2), (4000, 2, 8, 8), (200_000, 8, 8, 20)],
)
def test_a_worker_has_some_turns_and_there_are_not_too_many(batches, workers, most, length):
    assert stretch_length(batches, workers, most) == length
    assert -(-batches // length) <= MOST_STRETCHES

import numpy as np
import pytest

from taskcodec.coding.models.context.neighbours import Neighbours
from taskcodec.errors import CorruptFileError


@pytest.mark.parametrize("shape", [(4, 5, 1), (3, 4, 3), (1, 1, 2)])
def test_a_number_is_foretold_by_those_before_it_alone(shape):
    near = Neighbours(shape, 2)
    rng = np.random.default_rng(0)
    pictures = rng.integers(1, 256, (6, *shape), dtype=np.uint8)
    for place in range(near.columns):
        found = near.of(near.padded(pictures), np.array([place]))
        assert found.shape == (6, near.inputs)
        later = pictures.reshape(6, -1).copy()
        later[:, place:] = rng.integers(1, 256, (6, near.columns - place))
        assert np.array_equal(near.of(near.padded(later.reshape(pictures.shape)), np.array([place])), found)
        if place:
            before = pictures.reshape(6, -1).copy()
            before[:, place - 1] += 1
            same = np.array_equal(near.of(near.padded(before.reshape(pictures.shape)), np.array([place])), found)
            _, x, channel = np.unravel_index(place, shape)
            assert same == (channel == 0 and x == 0 and shape[1] > 3)


def test_places_and_pictures_are_picked():
    near = Neighbours((3, 4, 3), 2)
    padded = near.padded(np.random.default_rng(0).integers(0, 256, (6, 3, 4, 3), dtype=np.uint8))
    rows, places = np.array([5, 0, 2, 2]), np.array([7, 35, 0, 8])
    found = near.of(padded, places, rows)
    for row, place, one in zip(rows, places, found, strict=True):
        assert np.array_equal(near.of(padded, np.array([place]))[row], one)


@pytest.mark.parametrize(("shape", "reach"), [((3, 4), 2), ((0, 4, 1), 2), ((3, 4, 1), 0), ((3, 4, 1), 99)])
def test_neighbourhoods_that_are_none_are_refused(shape, reach):
    with pytest.raises(CorruptFileError, match="reach"):
        Neighbours(shape, reach)

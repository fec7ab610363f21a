"""The kernel distance: by hand, unbiased, and blind to order."""

import numpy as np
import pytest

from taskcodec.errors import MismatchError
from taskcodec.evaluation.scores.kernel_distance import kernel_distance


def test_by_hand():
    """One dimension: kernel (x y + 1)^3, pairs of different rows alone within a set."""
    assert kernel_distance([[0.0], [1.0]], [[1.0], [2.0]]) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_in_the_mean_it_is_zero_where_both_have_one_law():
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(size=(40, 8)), rng.normal(size=(60, 8))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert min(found) < 0 < max(found)


def test_it_grows_with_what_sets_them_apart():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 8))
    found = [kernel_distance(x, y * spread + shift) for spread, shift in ((1, 0), (1, 0.3), (1, 0.6))]
    assert found[0] < found[1] < found[2]
    assert kernel_distance(x, 0.3 * y) > 5 * abs(found[0])  # too narrow: as means of many are
    assert kernel_distance(x[::-1], y) == pytest.approx(kernel_distance(x, y))


@pytest.mark.parametrize(
    ("a", "b"), [(np.ones((2, 3)), np.ones((2, 4))), (np.ones((1, 3)), np.ones((2, 3))), (np.ones(3), np.ones(3))]
)
def test_sets_that_cannot_be_compared(a, b):
    with pytest.raises(MismatchError, match="two sets of two vectors or more"):
        kernel_distance(a, b)
    with pytest.raises(MismatchError, match="NaN"):
        kernel_distance([[1.0], [np.nan]], [[1.0], [2.0]])

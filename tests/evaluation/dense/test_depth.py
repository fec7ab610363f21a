import numpy as np
import pytest

from taskcodec.evaluation.dense.depth import depth_errors


def test_errors_over_the_pixels_that_are_known():
    truth = np.array([[1.0, 2.0], [4.0, 0.0]])
    found = depth_errors(np.array([[1.1, 2.0], [2.0, 9.0]]), truth)
    assert found.abs_rel == pytest.approx((0.1 + 0 + 0.5) / 3)
    assert found.rmse == pytest.approx(np.sqrt((0.01 + 0 + 4) / 3))
    assert found.within == pytest.approx(2 / 3)


def test_nothing_known():
    assert depth_errors(np.ones((2, 2)), np.zeros((2, 2))) is None

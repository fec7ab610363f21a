"""Copies have one number."""

import numpy as np

from taskcodec.theory.limits.copies import numbered


def test_copies_have_one_number():
    x = np.array([[3.0, 1], [0, 1], [3, 1], [0, 2]])
    assert numbered(x).tolist() == [0, 1, 0, 2]
    assert numbered(x.T).tolist() == [0, 1]

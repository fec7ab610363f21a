"""The tables are what their formulas say, to the last unit."""

import numpy as np

from taskcodec.coding.models.mixing.logistic import LIMIT, LOGARITHM, MAX_COUNT, ONE, PROBABILITY


def test_logarithms_are_those_of_the_formula():
    exact = np.log2((np.arange(MAX_COUNT + 1) + 0.4) / 0.2) * ONE
    assert (np.abs(LOGARITHM - exact) <= 1).all()
    assert (np.diff(LOGARITHM) >= 0).all()


def test_chances_are_those_of_the_formula():
    odds = np.arange(-LIMIT, LIMIT + 1) / ONE
    np.testing.assert_allclose(PROBABILITY, 65536 / (1 + 2.0**-odds), atol=1)
    assert PROBABILITY[0] == 16
    assert PROBABILITY[LIMIT] == 32768
    assert PROBABILITY[-1] == 65520
    assert (PROBABILITY + PROBABILITY[::-1] == 65536).all()

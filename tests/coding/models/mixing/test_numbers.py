"""What is foretold and what remains give the number back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding.models.mixing.numbers import MAX_FACTOR, TOKENS, WIDTHS, Foretold, remainders_of, tokens_of
from taskcodec.errors import CorruptFileError

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(st.lists(st.tuples(INT32, INT32, INT32), max_size=9), INT32, st.integers(-MAX_FACTOR, MAX_FACTOR), st.booleans())
@settings(max_examples=80, deadline=None)
def test_numbers_come_back(rows, constant, factor, in_order):
    rows = np.array(rows, np.int64).astype(np.int32).reshape(-1, 3)
    way = Foretold(constant, ((1, factor), (2, 77)), in_order)
    assert np.array_equal(way.numbers(way.remainders(rows[:, 0], rows), rows), rows[:, 0])


def test_tokens_come_back_with_the_bits_that_they_promise():
    edges = np.concatenate([2 ** np.arange(32), 2 ** np.arange(1, 33) - 1, np.arange(300)]).astype(np.uint32)
    tokens, plain = tokens_of(edges)
    assert np.array_equal(remainders_of(tokens, plain), edges)
    assert tokens.max() == TOKENS - 1
    assert (plain.astype(np.uint64) >> WIDTHS[tokens].astype(np.uint64) == 0).all()


def test_near_numbers_have_small_remainders():
    rows = np.array([[100, 50], [203, 100]], np.int32)
    assert Foretold(0, ((1, 2 << 16),)).remainders(rows[:, 0], rows).tolist() == [0, 6]
    assert Foretold(in_order=True).remainders(np.array([5, 6, 4], np.int32), rows[[0, 0, 0]]).tolist() == [10, 2, 3]


def test_what_could_overflow_is_refused():
    with pytest.raises(CorruptFileError):
        Foretold(0, ((0, MAX_FACTOR + 1),))
    with pytest.raises(CorruptFileError):
        Foretold(2**31)

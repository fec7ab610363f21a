import math

import pytest

from taskcodec.symbol_choice.pictures.price import GRAIN, Price


def test_too_much_error_makes_bits_cheap_and_too_little_dear():
    first = Price(0.5, 0.01, 10.0)
    assert first.bit == 5
    first.follow(0.011)
    assert first.bit < 5
    other = Price(0.5, 0.01, 10.0)
    other.follow(0.009)
    assert other.bit > 5


@pytest.mark.parametrize("place", [0.2, 1.0, 40.0])
def test_it_ends_where_the_error_is_what_it_was(place):
    price, log = Price(1.0, 0.01, 10.0), 0.0
    for _ in range(80):  # an error that goes, a third of the way a step, to where the price sends it
        log += (0.15 * math.log2(price.bit / place) - log) / 3
        price.follow(0.01 * 2**log)
    assert log == pytest.approx(0, abs=0.01)
    assert price.bit == pytest.approx(place, rel=0.05)


def test_the_last_bits_of_an_error_do_not_count():
    prices = [Price(1.0, 0.01, 10.0) for _ in range(2)]
    for price, off in zip(prices, (1.0, 1 + 1e-7), strict=True):
        for step in range(20):
            price.follow(0.01 * (1 + 0.003 * step) * off)
    assert prices[0].bit == prices[1].bit
    assert (GRAIN * math.log2(prices[0].bit)).is_integer()


def test_no_error_and_much_of_it_stay_in_bounds():
    price = Price(1.0, 0.01, 10.0)
    for error in (0.0, 1e9):
        for _ in range(100):
            price.follow(error)
        assert 0 < price.bit < math.inf

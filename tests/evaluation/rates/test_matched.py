"""Matched bytes and matched values, on curves whose truth is known."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import UsageError
from taskcodec.evaluation.rates.matched import CurvePoint, envelope, factor, needed_bits, within_budget


def points(*pairs, half=0.0):
    return [CurvePoint(rate, value, value - half, value + half) for rate, value in pairs]


def log_curve(slope, offset, rates, half=0.0):
    return points(*((rate, offset + slope * math.log2(rate)) for rate in rates), half=half)


@given(
    slope=st.floats(0.01, 2),
    shift=st.floats(1.05, 30),
    start=st.floats(4, 5000),
    share=st.floats(0.01, 0.99),
    count=st.integers(2, 9),
)
def test_a_peer_that_needs_a_known_multiple_of_the_bits_is_found_to(slope, shift, start, share, count):
    """Ours: slope log2(rate). The peer: the same at shift times the bits, so the factor is shift at every value."""
    rates = [start * 2**i for i in range(count)]
    peer = log_curve(slope, -slope * math.log2(shift), [rate * shift for rate in rates], half=slope / 10)
    ours_bits = start * 2 ** (share * (count - 1))
    found = factor(ours_bits, needed_bits(peer, slope * math.log2(ours_bits)))
    assert found.value == pytest.approx(shift, rel=1e-6)
    assert found.low <= found.value
    assert found.high is None or found.high >= found.value


@given(
    st.lists(st.tuples(st.floats(1, 1e6), st.floats(0, 1)), min_size=1, max_size=30),
    st.floats(0, 1),
    st.booleans(),
)
def test_what_is_needed_suffices_and_less_does_not(pairs, target, higher_is_better):
    cloud = points(*pairs)
    need = needed_bits(cloud, target, higher_is_better).rate_bits
    sign = 1 if higher_is_better else -1
    if need is None:
        assert all(sign * p.value < sign * target for p in cloud)
    else:
        assert sign * within_budget(cloud, need * (1 + 1e-12), higher_is_better).value >= sign * target - 1e-6
        assert all(sign * p.value < sign * target for p in cloud if p.rate_bits < need * (1 - 1e-9))


def test_the_best_size_and_quality_count():
    cloud = points((100, 0.5), (200, 0.9), (150, 0.4), (300, 0.85), (400, 0.95))
    assert [(p.rate_bits, p.value) for p in envelope(cloud)] == [(100, 0.5), (200, 0.9), (400, 0.95)]
    assert needed_bits(cloud, 0.7).rate_bits == pytest.approx(100 * 2**0.5)
    assert within_budget(cloud, 200 * 2**0.5).value == pytest.approx(0.925)


def test_intervals_say_where_a_peer_may_and_must_get_there():
    need = needed_bits(log_curve(0.1, 0.0, [64, 128, 256, 512, 1024], half=0.1), 0.8)
    assert (need.at_best_bits, need.rate_bits, need.at_worst_bits) == pytest.approx((128, 256, 512))


def test_never_and_at_most():
    low, high = points((64, 0.5), (128, 0.6), half=0.05), points((64, 0.5), (128, 0.6))
    never = needed_bits(low, 0.63)
    assert (never.rate_bits, never.at_worst_bits, never.setting) == (None, None, "")
    assert never.at_best_bits is not None
    assert factor(10, never).value is None
    need = needed_bits(high, 0.4)
    assert need.at_most
    assert need.rate_bits == 64
    assert not needed_bits(high, 0.5).at_most
    assert needed_bits([], 0.5).rate_bits is None
    assert within_budget(high, 63) is None
    assert within_budget(high, 1e6).value == 0.6


def test_points_must_be_numbers():
    for rate, value in ((0.0, 0.5), (math.inf, 0.5), (8.0, math.nan)):
        with pytest.raises(UsageError, match="matched"):
            CurvePoint(rate, value, value, value)

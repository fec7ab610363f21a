import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import UsageError
from taskcodec.evaluation.rates.bd import NEEDED_POINTS, RateCurve, bd_metric, bd_rate, mean_accuracy_curve
from taskcodec.evaluation.rates.curves import Point
from taskcodec.evaluation.scores.intervals import Scores

METHODS = sorted(NEEDED_POINTS)
# Published: input reconstruction conditional on a depth-estimation base (bits a pixel, PSNR in dB), figure 5 of
# de Andrade and Bajic, "Towards Task-Compatible Compressible Representations" (2024), BD-rate 22 %.
PROPOSED = RateCurve((0.934, 1.069, 1.451, 1.710, 2.278), (35.13, 37.07, 38.97, 40.15, 41.00))
BASELINE = RateCurve((1.178, 1.287, 1.662, 2.024), (35.25, 36.25, 38.01, 40.62))


def smooth(scale=1.0, lift=0.0, rates=(100, 150, 240, 400, 900)):
    rates = np.array(rates, float)
    return RateCurve(tuple(rates * scale), tuple(60 + 10 * np.log10(rates) - 800 / rates + lift))


@pytest.mark.parametrize(("method", "percent"), [("cubic", -22.2), ("pchip", -21.5)])
def test_the_published_curves_give_their_figures_to_the_third_digit(method, percent):
    found = bd_rate(BASELINE, PROPOSED, method)
    assert round(found.value, 1) == percent
    assert found.overlap_percent == pytest.approx(100 * (40.62 - 35.25) / (41.00 - 35.13))
    assert (found.low, found.high, found.warnings) == (35.25, 40.62, ())


def test_the_published_curves_warn_where_their_rates_hardly_overlap():
    found = bd_metric(BASELINE, PROPOSED, "pchip")
    assert round(found.value, 2) == 1.74
    assert found.low == pytest.approx(1.178)
    assert found.high == pytest.approx(2.024)
    assert found.warnings == ("the curves overlap in only 61 % of the rate range",)


@pytest.mark.parametrize("method", METHODS)
def test_known_distances(method):
    assert bd_rate(smooth(), smooth(), method).value == pytest.approx(0, abs=1e-9)
    assert bd_metric(smooth(), smooth(), method).value == pytest.approx(0, abs=1e-9)
    assert bd_rate(smooth(), smooth(scale=0.5), method).value == pytest.approx(-50)
    assert bd_rate(smooth(scale=0.5), smooth(), method).value == pytest.approx(100)
    assert bd_metric(smooth(), smooth(lift=1.5), method).value == pytest.approx(1.5)


steps = st.lists(st.floats(0.05, 1), min_size=4, max_size=7)


@given(steps, steps, st.sampled_from(METHODS), st.randoms())
def test_swapping_the_curves_turns_the_sign_and_order_does_not_matter(first, second, method, random):
    one = RateCurve(tuple(100 * np.exp(np.cumsum(first))), tuple(80 + np.cumsum(first[::-1])))
    other = RateCurve(tuple(110 * np.exp(np.cumsum(second))), tuple(80 + np.cumsum(second)))
    for delta in (bd_rate, bd_metric):
        try:
            there, back = delta(one, other, method), delta(other, one, method)
        except UsageError:
            return
        if there.kind == "rate":
            # The cubic may swing so far that a float holds its power of ten to a few digits only.
            assert (1 + there.value / 100) * (1 + back.value / 100) == pytest.approx(1, rel=1e-4)
        else:
            assert there.value == pytest.approx(-back.value)
        pairs = list(zip(one.rates, one.values, strict=True))
        random.shuffle(pairs)
        assert delta(RateCurve(*zip(*pairs, strict=True)), other, method) == there


def test_a_metric_where_less_is_better_gives_the_same_rate_and_its_own_sign():
    def turned(curve):
        return RateCurve(curve.rates, tuple(-value for value in curve.values))

    anchor, test = smooth(), smooth(scale=0.8)
    rate = bd_rate(turned(anchor), turned(test), higher_is_better=False)
    assert rate.value == pytest.approx(bd_rate(anchor, test).value)
    assert rate.low < rate.high
    value = bd_metric(turned(anchor), turned(test), higher_is_better=False)
    assert value.value == pytest.approx(-bd_metric(anchor, test).value)
    assert value.warnings == ()


def test_a_curve_that_falls_is_warned_of_and_its_beaten_points_left_out():
    bumpy = RateCurve((*smooth().rates, 200.0), (*smooth().values, 60.0))
    found = bd_rate(smooth(), bumpy)
    assert found.value == pytest.approx(0)
    assert found.warnings == ("the test curve is not monotone: 1 of its 6 points left out",)
    assert "the anchor curve is not monotone" in bd_metric(bumpy, smooth()).warnings


def test_few_points_are_warned_of_or_refused():
    short = RateCurve(smooth().rates[:3], smooth().values[:3])
    assert "only 3 usable points" in " ".join(bd_rate(short, smooth()).warnings)
    with pytest.raises(UsageError, match="anchor curve has 3 usable points, cubic needs 4"):
        bd_rate(short, smooth(), "cubic")
    with pytest.raises(UsageError, match="test curve has 1 usable point, pchip needs 2"):
        bd_metric(smooth(), RateCurve((5.0, 5.0), (1.0, 2.0)))


def test_bad_input_is_refused():
    with pytest.raises(UsageError, match="no metric that both reach"):
        bd_rate(smooth(), smooth(lift=50))
    with pytest.raises(UsageError, match="no rate that both reach"):
        bd_metric(smooth(), smooth(scale=1000))
    with pytest.raises(UsageError, match="linear"):
        bd_rate(smooth(), smooth(), "linear")
    for rates, values in (((1.0,), ()), ((0.0,), (1.0,)), ((float("inf"),), (1.0,)), ((1.0,), (float("nan"),))):
        with pytest.raises(UsageError, match="curve"):
            RateCurve(rates, values)


def test_points_of_a_benchmark_become_a_curve_of_means():
    def scores(right):
        return Scores(np.arange(4), np.ones(4), np.array(right, float), "accuracy")

    point = Point(
        "r", "c", "1", {"a": 10.0, "b": 30.0}, {("a", "t"): scores([1, 1, 1, 0]), ("b", "t"): scores([1] * 4)}
    )
    assert mean_accuracy_curve([point]) == RateCurve((20.0,), (0.875,))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import UsageError
from taskcodec.evaluation.scores.intervals import (
    Interval,
    Scores,
    bootstrap,
    interpolate_scores,
    mean_difference,
    mean_over_sets,
    paired_difference,
    wilson,
)


def scores(right, units=None):
    right = np.asarray(right, dtype=np.float64)
    units = np.arange(len(right)) if units is None else np.asarray(units)
    return Scores(units, np.ones(len(right)), right, "accuracy")


def test_wilson_matches_published_values():
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    found = wilson(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert wilson(0, 20).low == 0
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_in_range(counts):
    found = wilson(*counts)
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_bootstrap_agrees_with_wilson_on_independent_samples():
    right = np.random.default_rng(0).random(400) < 0.8
    found, expected = bootstrap(scores(right)), wilson(int(right.sum()), 400)
    assert found.value == expected.value
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=0.01), pytest.approx(expected.high, abs=0.01))


@pytest.mark.slow
def test_intervals_cover_a_known_difference_at_about_the_nominal_rate():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        raw = rng.random(300) < 0.9
        decoded = np.where(rng.random(300) < 0.1, rng.random(300) < 0.5, raw)  # true difference: 0.1 * (0.5 - 0.9)
        found = paired_difference(scores(decoded), scores(raw), draws=400, seed=trial)
        covered += found.low <= -0.04 <= found.high
    assert 178 <= covered <= 199


def test_grouped_samples_are_drawn_together():
    rng = np.random.default_rng(2)
    per_group = rng.random(60) < 0.7
    grouped = bootstrap(scores(np.repeat(per_group, 5), np.repeat(np.arange(60), 5)))
    alone = bootstrap(scores(per_group))
    assert (grouped.low, grouped.high) == (pytest.approx(alone.low), pytest.approx(alone.high))
    naive = bootstrap(scores(np.repeat(per_group, 5)))
    assert grouped.high - grouped.low > 1.8 * (naive.high - naive.low)


def test_pairing_narrows_the_interval_of_a_difference():
    rng = np.random.default_rng(3)
    raw = rng.random(500) < 0.7
    decoded = raw & (rng.random(500) < 0.97)
    paired = paired_difference(scores(decoded), scores(raw))
    single = bootstrap(scores(raw))
    assert paired.high - paired.low < 0.6 * (single.high - single.low)


def test_a_lossless_codec_has_no_difference_and_a_destroyed_label_is_caught():
    rng = np.random.default_rng(4)
    raw = rng.random(200) < 0.9
    assert paired_difference(scores(raw), scores(raw)) == Interval(0.0, 0.0, 0.0)
    assert paired_difference(scores(rng.random(200) < 0.5), scores(raw)).high < -0.2


def test_r2_of_perfect_and_of_mean_predictions():
    rng = np.random.default_rng(5)
    targets = rng.normal(10, 2, size=100)
    perfect = Scores(np.arange(100), targets, targets, "r2")
    mean = Scores(np.arange(100), targets, np.full(100, targets.mean()), "r2")
    assert perfect.value == 1
    assert mean.value == pytest.approx(0)
    noisy = Scores(np.arange(100), targets, targets + rng.normal(size=100), "r2")
    found = bootstrap(noisy)
    assert 0.4 < found.low < noisy.value < found.high < 0.9
    assert paired_difference(noisy, perfect).high < 0


def test_mean_over_sets_weighs_sets_alike_and_narrows_with_their_number():
    rng = np.random.default_rng(6)
    sets = [scores(rng.random(n) < p) for n, p in ((50, 0.6), (5000, 0.9))]
    found = mean_over_sets(sets)
    assert found.value == pytest.approx((sets[0].value + sets[1].value) / 2)
    assert found.high - found.low < bootstrap(sets[0]).high - bootstrap(sets[0]).low
    assert mean_difference(sets, sets) == Interval(0.0, 0.0, 0.0)


def test_tasks_of_one_set_share_its_draws_also_where_one_lacks_labels():
    """Two tasks that score alike are as uncertain together as alone; half of one's labels away, a little more."""
    right = np.random.default_rng(7).random(400) < 0.8
    whole, half = scores(right), scores(right[::2], np.arange(0, 400, 2))
    alone = bootstrap(whole).high - bootstrap(whole).low

    def width(sets, names):
        found = mean_over_sets(sets, names)
        return (found.high - found.low) / alone

    assert width([whole, whole], ["a", "a"]) == pytest.approx(1)
    assert width([whole, whole], ["a", "b"]) == pytest.approx(0.71, abs=0.05)
    assert width([whole, half], ["a", "a"]) == pytest.approx(np.sqrt(1 + 2 + 2) / 2, abs=0.06)
    few = scores(right[:2], np.arange(2))  # most draws hold neither of the two
    assert np.isfinite(width([whole, few], ["a", "a"]))
    assert mean_difference([whole, half], [whole, half], ["a", "a"]) == Interval(0.0, 0.0, 0.0)


@given(st.floats(0, 1))
def test_interpolated_scores_lie_on_the_line(share):
    first, second = scores([1, 0, 1, 1]), scores([1, 1, 1, 1])
    assert interpolate_scores(first, second, share).value == pytest.approx(0.75 + 0.25 * share)


def test_misuse_is_refused():
    with pytest.raises(UsageError, match="successes"):
        wilson(3, 2)
    with pytest.raises(UsageError, match="same samples"):
        paired_difference(scores([1, 0]), scores([1, 0], [1, 2]))
    with pytest.raises(UsageError, match="no scores"):
        mean_over_sets([])
    with pytest.raises(UsageError, match="against"):
        mean_difference([scores([1])], [])
    with pytest.raises(UsageError, match="same samples"):
        interpolate_scores(scores([1, 0]), scores([1, 0]), 1.5)
    with pytest.raises(UsageError, match="common length"):
        Scores(np.arange(2), np.ones(3), np.ones(3), "accuracy")
    with pytest.raises(UsageError, match="above"):
        Interval(0, 1, -1)

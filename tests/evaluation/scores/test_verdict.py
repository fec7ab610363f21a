"""Intervals and verdicts where the truth is known: seeded simulations, straight on scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.metrics import METRICS, mean_scores
from taskcodec.evaluation.scores.intervals import Interval, Scores
from taskcodec.evaluation.scores.verdict import LOSSLESS, LOSSY, MIN_UNITS, UNDECIDED, excess, interval, judge, widening

TRIALS = 200


def right_or_wrong(lost, won):
    """Raw right in 90 % of the samples; `lost` of all are right with raw features only, `won` with decoded only."""

    def draw(rng, n):
        raw = rng.random(n) < 0.9
        decoded = np.where(raw, rng.random(n) >= lost / 0.9, rng.random(n) < won / 0.1)
        return mean_scores(np.arange(n), decoded), mean_scores(np.arange(n), raw)

    return draw


def heavy_tailed(rng, n):
    raw = rng.exponential(size=n) ** 1.5
    return mean_scores(np.arange(n), raw + 0.1 * rng.standard_t(5, size=n)), mean_scores(np.arange(n), raw)


def numbers(rng, n):
    truth, shared = rng.normal(size=n), rng.normal(size=n)
    raw, decoded = (truth + 0.6 * (0.5 * shared + np.sqrt(0.75) * rng.normal(size=n)) for _ in range(2))
    return Scores(np.arange(n), truth, decoded, "r2"), Scores(np.arange(n), truth, raw, "r2")


def simulated(draw, metric, n, truth):
    """Shares of trials: interval covers the truth, and each verdict."""
    covered, verdicts = 0, dict.fromkeys((LOSSLESS, LOSSY, UNDECIDED), 0)
    for trial in range(TRIALS):
        found = excess(*draw(np.random.default_rng(trial), n), METRICS[metric], draws=500, seed=trial)
        covered += found.low <= truth <= found.high
        verdicts[judge(found, METRICS[metric], n, n).verdict] += 1
    return covered / TRIALS, {name: count / TRIALS for name, count in verdicts.items()}


def above(nominal):
    """A share that is no more than nominal, within binomial error."""
    return nominal + 2.6 * np.sqrt(nominal * (1 - nominal) / TRIALS)


@pytest.mark.parametrize(
    ("draw", "metric", "n"),
    [
        (right_or_wrong(0.002, 0.002), "accuracy", 100),
        (right_or_wrong(0.01, 0.01), "accuracy", 100),
        (right_or_wrong(0.01, 0.01), "accuracy", 600),
        (right_or_wrong(0.05, 0.05), "accuracy", 300),
        (heavy_tailed, "log_loss", 100),
        (numbers, "r2", 100),
    ],
)
@pytest.mark.slow
def test_without_a_true_loss_intervals_cover_and_few_codecs_are_called_lossy(draw, metric, n):
    covered, verdicts = simulated(draw, metric, n, 0.0)
    assert 1 - covered <= above(0.05)
    assert verdicts[LOSSY] <= above(0.025)


@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.0), (0.015, 0.005), (0.03, 0.02)])
@pytest.mark.slow
def test_a_loss_of_delta_is_rarely_called_lossless(lost, won):
    covered, verdicts = simulated(right_or_wrong(lost, won), "accuracy", 600, won - lost)
    assert 1 - covered <= above(0.05)
    assert verdicts[LOSSLESS] <= above(0.05)


def test_large_losses_are_caught_and_small_ones_pass():
    assert simulated(right_or_wrong(0.08, 0.0), "accuracy", 300, -0.08)[1][LOSSY] == 1
    assert simulated(right_or_wrong(0.0002, 0.0002), "accuracy", 600, 0.0)[1][LOSSLESS] == 1


def test_no_difference_on_few_samples_proves_nothing():
    for n, verdict in ((50, UNDECIDED), (200, UNDECIDED), (1000, LOSSLESS)):
        same = mean_scores(np.arange(n), np.ones(n))
        found = excess(same, same, METRICS["accuracy"])
        assert found.value == 0
        assert found.high == pytest.approx(3 / n, rel=0.1)  # the rule of three
        assert judge(found, METRICS["accuracy"], n, n).verdict == verdict


def test_fewer_than_a_handful_of_units_decide_nothing():
    n = MIN_UNITS - 1
    found = excess(mean_scores(np.arange(n), np.zeros(n)), mean_scores(np.arange(n), np.ones(n)), METRICS["accuracy"])
    verdict = judge(found, METRICS["accuracy"], n, n)
    assert (verdict.verdict, verdict.samples_needed) == (UNDECIDED, MIN_UNITS)
    for units in (1, 2):
        assert interval(mean_scores(np.arange(units), np.arange(units))).low == 0


def test_groups_count_as_one():
    rng = np.random.default_rng(0)
    right, other = np.repeat(rng.random(60) < 0.8, 5), np.repeat(rng.random(60) < 0.8, 5)
    groups, alone = np.repeat(np.arange(60), 5), np.arange(300)
    wide, narrow = (
        excess(mean_scores(units, right), mean_scores(units, other), METRICS["accuracy"]) for units in (groups, alone)
    )
    assert wide.high - wide.low > 1.8 * (narrow.high - narrow.low)


@given(st.floats(-0.2, 0.2), st.floats(0, 0.2), st.floats(0, 0.2), st.sampled_from(["accuracy", "log_loss"]))
def test_exactly_one_verdict_results(value, below, over, name):
    metric = METRICS[name]
    found = judge(Interval(value, value - below, value + over), metric, 500, 500)
    lossless, lossy = found.loss.high < found.delta, found.loss.low > 0
    assert found.verdict == (LOSSLESS if lossless else LOSSY if lossy else UNDECIDED)
    assert (found.samples_needed is None) == (found.verdict != UNDECIDED)
    assert found.samples_needed is None or found.samples_needed > 500
    assert found.words.startswith(found.verdict.removesuffix(" delta"))


def test_so_many_samples_as_it_says_do_decide():
    draw = right_or_wrong(0.02, 0.02)
    for trial in range(10):
        first = judge(
            excess(*draw(np.random.default_rng(trial), 300), METRICS["accuracy"]), METRICS["accuracy"], 300, 300
        )
        if first.verdict == UNDECIDED:
            loss, needed = first.loss, first.samples_needed
            shrink = np.sqrt(300 / needed)
            low, high = (loss.value + shrink * (end - loss.value) for end in (loss.low, loss.high))
            assert high < first.delta + 1e-4 or low > -1e-4
            assert needed < 300_000


def test_lower_is_better_turns_the_loss():
    metric = METRICS["log_loss"]
    assert judge(Interval(0.2, 0.1, 0.3), metric, 500, 500).verdict == LOSSY
    assert judge(Interval(-0.2, -0.3, -0.1), metric, 500, 500).verdict == LOSSLESS
    assert "0.2 bits" in judge(Interval(0.2, 0.1, 0.3), metric, 500, 500).words
    assert judge(Interval(-0.2, -0.3, -0.1), METRICS["accuracy"], 500, 500).loss == Interval(0.2, 0.1, 0.3)


def test_widening_stretches_both_ends():
    rng = np.random.default_rng(1)
    pair = mean_scores(np.arange(99), rng.random(99)), mean_scores(np.arange(99), rng.random(99))
    one, two = (excess(*pair, METRICS["log_loss"], widening=factor) for factor in (1.0, 2.0))
    assert two.high - two.value == pytest.approx(2 * (one.high - one.value))
    assert two.value - two.low == pytest.approx(2 * (one.value - one.low))
    assert widening("ridge", "accuracy") < widening("knn", "accuracy") < widening("retrieval", "retrieval_map")


def test_misuse_is_refused():
    with pytest.raises(UsageError, match="same samples"):
        excess(mean_scores(np.arange(3), np.ones(3)), mean_scores(np.arange(1, 4), np.ones(3)), METRICS["accuracy"])
    with pytest.raises(UsageError, match="--delta"):
        judge(Interval(0, 0, 0), METRICS["accuracy"], 100, 100, 0.0)


def test_draws_of_numbers_that_are_all_the_same_are_left_out_and_too_many_refused():
    rng = np.random.default_rng(0)
    truth = np.r_[np.zeros(36), 1.0, 2.0, 3.0, 4.0]  # one draw in sixty holds none of the four

    def scores(noise):
        return Scores(np.arange(40), truth, truth + noise * rng.normal(size=40), "r2")

    found = excess(scores(0.2), scores(0.1), METRICS["r2"])
    assert np.isfinite([found.low, found.high]).all()
    assert found.low > -100
    truth = np.r_[np.zeros(39), 1.0]
    with pytest.raises(UsageError, match="cannot be scored"):
        excess(scores(0.2), scores(0.1), METRICS["r2"])

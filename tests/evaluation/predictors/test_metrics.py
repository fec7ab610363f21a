import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, log_loss, mean_absolute_error, r2_score

from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.families import Outputs
from taskcodec.evaluation.predictors.metrics import METRICS, Answers, RankingScores, deltas, score
from taskcodec.evaluation.tasks.targets import Target

RNG = np.random.default_rng(0)


def task(kind, width):
    return Target("task", kind, np.zeros(0, np.intp), np.zeros(0), tuple("abcdefgh"[:width]))


def halves(targets, scores, probabilities=None):
    """The rows in two splits."""
    cut = len(targets) // 2
    return [
        Answers(
            np.arange(len(targets))[part],
            targets[part],
            Outputs(scores[part], None if probabilities is None else probabilities[part]),
        )
        for part in (slice(0, cut), slice(cut, None))
    ]


def test_classification_agrees_with_scikit_learn():
    truth, p = RNG.integers(0, 8, 200), RNG.dirichlet(np.ones(8), 200)
    found = {name: one.value for name, one in score(task("classification", 8), halves(truth, p, p)).items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, p.argmax(axis=1)))
    assert found["top5_accuracy"] == pytest.approx(
        np.mean([t in np.argsort(-q)[:5] for t, q in zip(truth, p, strict=True)])
    )
    mixed = 0.999 * p + 0.001 / 8
    assert found["log_loss"] == pytest.approx(log_loss(truth, mixed, labels=range(8)) / np.log(2))


def test_log_loss_needs_probabilities_and_is_bounded():
    truth, p = np.zeros(10, np.intp), np.tile([0.0, 1.0], (10, 1))
    assert set(score(task("classification", 2), halves(truth, p))) == {"accuracy"}
    assert score(task("classification", 2), halves(truth, p, p))["log_loss"].value == pytest.approx(np.log2(2000))


def test_multilabel_agrees_with_scikit_learn():
    truth = (RNG.random((120, 4)) < 0.3).astype(float)
    scores = np.round(truth + RNG.normal(size=(120, 4)), 1)  # with ties
    found = score(task("multilabel", 4), halves(truth, scores))
    parts = [average_precision_score(truth[s], scores[s], average="macro") for s in (slice(0, 60), slice(60, None))]
    assert found["map"].value == pytest.approx(np.mean(parts))
    assert found["subset_accuracy"].value == pytest.approx(accuracy_score(truth, scores > 0.5))


def test_drawn_rankings_agree_with_weights():
    truth, scores = RNG.random((50, 3)) < 0.4, np.round(RNG.normal(size=(50, 3)), 1)
    one = RankingScores(np.arange(50), scores, truth, np.zeros(50, np.intp))
    weights = RNG.integers(0, 3, (5, 50))
    for found, drawn in zip(one.values(weights), weights, strict=True):
        assert found == pytest.approx(average_precision_score(truth, scores, average="macro", sample_weight=drawn))


def test_a_label_nobody_has_says_nothing():
    truth, scores = np.zeros((20, 2), bool), RNG.normal(size=(20, 2))
    truth[:5, 0] = True
    one = RankingScores(np.arange(20), scores, truth, np.zeros(20, np.intp))
    assert one.value == pytest.approx(average_precision_score(truth[:, 0], scores[:, 0]))


def test_regression_agrees_with_scikit_learn():
    truth = RNG.normal(10, 3, 80)
    said = truth + RNG.normal(size=80)
    found = score(task("regression", 1), halves(truth, said[:, None]))
    assert found["r2"].value == pytest.approx(r2_score(truth, said))
    assert found["mae"].value == pytest.approx(mean_absolute_error(truth, said))


def test_deltas_are_given_in_points_or_by_metric():
    assert deltas(["0.5", "r2=0.1", "accuracy=2"])["accuracy"] == 0.02
    found = deltas(["0.5", "r2=0.1"])
    assert (found["map"], found["r2"]) == (0.005, 0.1)
    assert "log_loss" not in found
    for spec in ("0", "-1", "much", "magic=1", "inf", "r2="):
        with pytest.raises(UsageError, match="--delta"):
            deltas([spec])
    assert METRICS["accuracy"].amount(0.01) == "1 point"

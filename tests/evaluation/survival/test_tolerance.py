import numpy as np
import pytest

import taskcodec
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.predictors.probing import probe_accuracy
from taskcodec.evaluation.survival.tolerance import GRID_BITS, cheapest_within


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data.astype(np.float32), found.target.astype(str).astype(object)


def search(features, labels, points):
    return cheapest_within(features, labels, points, lambda bits: taskcodec.fit(features, bits=bits))


def loss_elsewhere(codec, features, labels, splits=10):
    """Percentage points lost by another way to split, with other seeds and both predictors."""
    from sklearn.model_selection import StratifiedShuffleSplit

    decoded, lost = codec.decode(codec.encode(features)), []
    for train, test in StratifiedShuffleSplit(splits, test_size=0.3, random_state=7).split(features, labels):
        raw, now = (probe_accuracy(x[train], labels[train], x[test], labels[test]).value for x in (features, decoded))
        lost.append(100 * (raw - now))
    return float(np.mean(lost))


@pytest.mark.parametrize("points", [0.5, 2.0])
@pytest.mark.slow
def test_the_cheapest_rate_inside_the_tolerance(digits, points):
    x, y = digits
    found = search(x, y, points)
    *inside, (_, last) = found.tried
    assert 100 * (found.raw - last) > points  # the next cheaper rate loses too much ...
    assert all(100 * (found.raw - accuracy) <= points for _, accuracy in inside)
    rate = float(found.codec.code_length(found.codec.encode(x)).mean())
    assert rate == pytest.approx(inside[-1][0], rel=0.02)  # ... and the codec is of the one before
    assert loss_elsewhere(found.codec, x, y) <= points + 0.5


@pytest.mark.slow
def test_a_larger_tolerance_is_never_dearer(digits):
    x, y = digits
    rates = []
    for points in (0.2, 1.0, 5.0):
        codec = search(x[:600], y[:600], points).codec
        rates.append(float(codec.code_length(codec.encode(x[:600])).mean()))
    assert rates[0] >= rates[1] >= rates[2]


def test_features_that_cannot_fill_the_highest_rates(digits):
    """Few dimensions hold less than 4096 bits: those rates are left out."""
    x, y = digits
    narrow = x[:, 20:24]
    found = search(narrow, y, 1)
    assert max(bits for bits, _ in found.tried) < GRID_BITS[-1]
    assert loss_elsewhere(found.codec, narrow, y) <= 2


def test_every_class_is_trained_on():
    """A rare class that fell among the test samples alone would be held against every codec."""
    rng = np.random.default_rng(0)
    labels = np.array(["a"] * 30 + ["b"] * 30 + ["c", "c", "d"], dtype=object)
    centres = {name: 5 * rng.normal(size=16) for name in "abcd"}
    x = np.stack([centres[label] + rng.normal(size=16) for label in labels]).astype(np.float32)
    assert search(x, labels, 1).raw > 0.95


@pytest.mark.slow
def test_numbers_are_regressed_and_not_taken_for_classes():
    """Repeated prices have classes' look, but hardly a probe names one exactly: any codec would be good enough."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(600, 24)) * 0.9 ** np.arange(24)).astype(np.float32)
    prices = (100 * np.round(x @ rng.normal(size=24) * 10)).astype(int).astype(str).astype(object)
    found, loose = search(x, prices, 1), search(x, prices, 30)
    assert found.metric == "r2"
    assert found.raw > 0.99
    assert found.raw - 0.01 <= found.kept
    assert found.kept == dict(found.tried)[found.bits]
    assert loose.bits < found.bits
    with pytest.raises(SourceError, match="different labels"):
        cheapest_within(x, np.arange(600).astype(str).astype(object), 1, at=None, kind="classification")
    with pytest.raises(UsageError, match="--kind must be one of classification, regression, found multilabel"):
        cheapest_within(x, prices, 1, at=None, kind="multilabel")


@pytest.mark.parametrize(
    ("make", "points", "error", "says"),
    [
        (lambda y: y[:10], 1, SourceError, "20 labelled samples"),
        (lambda y: np.array(["one"] * 100, dtype=object), 1, SourceError, "2 classes"),
        (lambda y: np.array(["one"] * 99 + ["other"], dtype=object), 1, SourceError, "2 classes"),
        (lambda y: np.array([f"{0.37 * i:.2f}" for i in range(100)], dtype=object), 1, UsageError, "do not predict"),
        (lambda y: np.array([str(0.5 * i) for i in range(19)], dtype=object), 1, SourceError, "20 labelled"),
        (lambda y: np.array([f"name {i}" for i in range(100)], dtype=object), 1, SourceError, "several samples"),
        (lambda y: np.random.default_rng(0).permutation(y[:200]), 1, UsageError, "do not predict"),
        (lambda y: y[:100], -1, UsageError, "0 or more"),
        (lambda y: y[:100], float("nan"), UsageError, "0 or more"),
    ],
)
def test_labels_that_measure_nothing_are_refused(digits, make, points, error, says):
    labels = make(digits[1])
    with pytest.raises(error, match=says) as raised:
        search(digits[0][: len(labels)], labels, points)
    assert "\n" not in str(raised.value)


def test_a_tolerance_that_no_rate_meets(digits):
    x, y = digits[0][:200], digits[1][:200]
    with pytest.raises(UsageError, match=f"no rate up to {max(GRID_BITS):g} bits"):
        cheapest_within(x, y, 1, lambda bits: taskcodec.fit(x, step=1e6))

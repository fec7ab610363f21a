"""Usable information where it is known in closed form, and what only the wider family can use."""

import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.tasks.holdout import Holdout, Split, Splits, hold_out
from taskcodec.evaluation.tasks.targets import make_target
from taskcodec.evaluation.usable.information import usable_bits

N = 400
RNG = np.random.default_rng(0)
SIGNS = RNG.integers(0, 2, (N, 2)) * 2 - 1
NOISE = RNG.normal(size=(N, 4)).astype("f4")


def measured(x, labels, family, folds=2, kind=None):
    target = make_target("y", [str(label) for label in labels], kind)
    rows = np.arange(len(x))
    classes = target.values if target.kind == "classification" else None
    holdout = hold_out(target.rows, rows, classes, [f"{row}" for row in rows], Splits("folds", folds, 1))
    return usable_bits(x.astype("f4"), target, holdout, family)


def test_a_sign_in_noise_is_worth_its_information():
    x = NOISE + np.pad(SIGNS[:, :1], ((0, 0), (0, 3)))
    usable, entropy = measured(x, SIGNS[:, 0] > 0, "linear")
    true = 1 - np.mean(np.log2(1 + np.exp(-2 * SIGNS[:, 0] * x[:, 0])))  # Bayes' rule, on these very samples
    assert usable.value == pytest.approx(true, abs=0.06)
    assert usable.low < true < usable.high < usable.low + 0.3
    assert entropy == pytest.approx(1, abs=0.02)


def test_features_that_say_nothing_are_worth_nothing():
    for family in ("linear", "mlp"):
        usable, _ = measured(NOISE, SIGNS[:, 0] > 0, family)
        assert abs(usable.value) < 0.02


def test_what_only_a_wider_family_can_use():
    x, same = 2 * SIGNS + 0.3 * NOISE[:, :2], SIGNS.prod(axis=1) > 0
    assert abs(measured(x, same, "linear")[0].value) < 0.05
    assert measured(x, same, "mlp")[0].value > 0.9


def test_a_number_is_worth_its_signal_to_noise():
    number = NOISE[:, 1] + 0.5 * RNG.normal(size=N)
    usable, _ = measured(NOISE, number, "linear")
    assert usable.value == pytest.approx(0.5 * np.log2(5), abs=0.15)
    # ... in any unit, from any zero.
    again, _ = measured(NOISE, 1e6 + 1e3 * number, "linear")
    assert again.value == pytest.approx(usable.value, abs=1e-3)


def test_several_labels_are_worth_what_each_is():
    labels = [";".join(["always"] + ["a"] * int(a > 0) + ["b"] * int(b > 0)) for a, b in SIGNS]
    x = np.pad(2 * SIGNS[:, :1], ((0, 0), (0, 1))) + 0.1 * NOISE[:, :2]
    usable, entropy = measured(x, labels, "linear")
    assert usable.value == pytest.approx(1, abs=0.1)  # a is told, b is not
    assert entropy == pytest.approx(2, abs=0.05)


def test_only_held_out_samples_count():
    """What a family learns by heart of a training side that has no rule is worth nothing."""
    x, labels = np.eye(100, dtype="f4"), SIGNS[:100, 0] > 0
    assert measured(x, labels, "mlp")[0].value < 0.02


def test_names_and_too_few_samples():
    with pytest.raises(UsageError, match="family must be one of linear, mlp"):
        measured(NOISE, SIGNS[:, 0] > 0, "forest")
    target = make_target("y", ["a", "a", "b", "b"])
    twins = Holdout((Split(np.array([0, 2]), np.array([1, 3])),), np.array([0, 1, 0, 1]), "by hand")
    with pytest.raises(UsageError, match="two independent samples"):
        usable_bits(NOISE[:4], target, twins, "linear")

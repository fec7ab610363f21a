"""How much of a target a restricted family of predictors can use: predictive V-information, in bits.

    I_V(Y -> Z) = H_V(Z) - H_V(Z | Y)      H_V(Z | Y) = min over f in V of E[-log2 f[Y](Z)]

Xu, Zhao, Song, Stewart, Ermon, "A theory of usable information under computational constraints" (ICLR 2020),
definitions 1 and 2. H_V(Z) is that of the family's constants: the training side's shares of classes, or its mean and
spread. Both terms are means over held-out samples of what was chosen on the training side alone, so the estimate is of
what a predictor that was trained on so many samples can really use; with few samples it lies below the family's own.

The family holds its constants too ("optional ignorance" there): what a model says is sharpened or flattened by one
temperature and mixed with the shares, both fitted on a quarter of the training side that the model did not see.
Numbers are predicted as Gaussians of one spread, likewise fitted.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError, check_one_of
from taskcodec.evaluation.predictors.families import Family, Lesson, Outputs, logistic, make_lesson, mlp, ridge
from taskcodec.evaluation.predictors.metrics import SMOOTHING, mean_scores
from taskcodec.evaluation.scores.intervals import Interval, bootstrap
from taskcodec.evaluation.tasks.holdout import Holdout, fold_numbers
from taskcodec.evaluation.tasks.targets import Kind, Target

Floats = npt.NDArray[np.float64]
_MLP = partial(mlp, stop_early=False)
FAMILIES: Mapping[str, Mapping[Kind, Family]] = {
    "linear": {"classification": logistic, "multilabel": logistic, "regression": ridge},
    "mlp": {"classification": _MLP, "multilabel": _MLP, "regression": _MLP},
}
"""linear: multinomial logistic regression, of numbers ridge regression; mlp: one hidden layer of 128."""
TUNED_ON = 4
"""One training sample in so many is kept from the model, to fit temperature, mixture and spread."""
TEMPERATURES = np.logspace(-1.0, 0.5, 13)
MIXTURES = np.array([0.0, 0.01, 0.03, 0.1, 0.3, 1.0])
LEAST_SPREAD = 1e-6
"""Of the target's own spread: a prediction cannot be surer than that."""


def usable_bits(
    features: npt.NDArray[np.float32], target: Target, holdout: Holdout, family: str, *, seed: int = 0
) -> tuple[Interval, float]:
    """Usable information of a target in features, and the entropy that the family sees in the target, in bits a sample.

    Args:
        features: (n, d), finite.
        target: what is predicted.
        holdout: splits of the target's rows.
        family: of FAMILIES.
        seed: of the bootstrap over held-out samples, which gives the 95 % interval.

    Raises:
        UsageError: no such family, or a training side with nothing to learn.
    """
    check_one_of("family", family, FAMILIES)
    model = FAMILIES[family][target.kind]
    units, gains, entropies = [], [], []
    for split in holdout.splits:
        own = split.among(target.rows)
        lesson = make_lesson(target, features, holdout, own)
        truth = target.spread(len(features))[own.test]
        without, given = _surprises(lesson, truth, model)
        units.append(holdout.units[own.test])
        gains.append(without - given)
        entropies.append(without)
    scores = mean_scores(np.concatenate(units), np.concatenate(gains))
    return bootstrap(scores, seed=seed), float(np.mean(np.concatenate(entropies)))


def _surprises(lesson: Lesson, truth: npt.NDArray[np.float64], model: Family) -> tuple[Floats, Floats]:
    """(m,) bits that each test sample's target takes without the features, and with them."""
    inner, kept = _tuning_parts(lesson)
    tuned = model(inner)
    if lesson.kind == "regression":
        return _of_numbers(lesson, truth, tuned, kept, model)
    shares = np.clip(lesson.indicators.mean(axis=0), 0.0, 1.0)
    temperature, mixture = _tuned(_pairs(tuned, inner), _held(inner, kept), _shares(shares, inner.kind))
    said = _mixed(_pairs(model(lesson), lesson), temperature, mixture, _shares(shares, lesson.kind))
    held = _held(lesson, truth)
    return _bits(np.broadcast_to(_shares(shares, lesson.kind), held.shape), held), _bits(said, held)


def _tuning_parts(lesson: Lesson) -> tuple[Lesson, npt.NDArray[np.float64]]:
    """The lesson whose test side is a part of the training side, and that part's targets."""
    classes = lesson.train_y if lesson.kind == "classification" else None
    parts = min(TUNED_ON, len(np.unique(lesson.units)))
    if parts < 2:
        raise UsageError("usable: a split's training side needs at least two independent samples")
    aside = fold_numbers(lesson.units, classes, parts, 0) == 0
    inner = replace(
        lesson,
        train_x=lesson.train_x[~aside],
        train_y=lesson.train_y[~aside],
        test_x=lesson.train_x[aside],
        units=lesson.units[~aside],
    )
    return inner, lesson.train_y[aside]


def _pairs(outputs: Outputs, lesson: Lesson) -> Floats:
    """(m, t, c) probabilities of t questions with c answers: one question of classes, one of two answers a label."""
    if lesson.kind == "classification":
        assert outputs.probabilities is not None  # both families give them
        return outputs.probabilities[:, None, :]
    return np.stack([1 - outputs.scores, outputs.scores], axis=2)


def _held(lesson: Lesson, truth: npt.NDArray[np.float64]) -> Floats:
    """(m, t, c) 1 at the right answer."""
    if lesson.kind == "classification":
        return np.asarray(truth[:, None, None] == np.arange(lesson.width), np.float64)
    return np.stack([1 - truth, truth], axis=2)


def _shares(shares: Floats, kind: Kind) -> Floats:
    """(t, c) how often each answer is right."""
    return shares[None, :] if kind == "classification" else np.stack([1 - shares, shares], axis=1)


def _bits(said: Floats, held: Floats) -> Floats:
    """(m,) bits of the right answers; a little of the uniform distribution keeps one sure mistake from deciding all."""
    right = np.sum(said * held, axis=2)
    result: Floats = -np.log2((1 - SMOOTHING) * right + SMOOTHING / said.shape[2]).sum(axis=1)
    return result


def _mixed(said: Floats, temperature: float, mixture: float, shares: Floats) -> Floats:
    powers = np.clip(said, 1e-12, 1.0) ** temperature
    result: Floats = (1 - mixture) * powers / powers.sum(axis=2, keepdims=True) + mixture * shares
    return result


def _tuned(said: Floats, held: Floats, shares: Floats) -> tuple[float, float]:
    """The temperature and the mixture with the fewest bits."""
    best = (np.inf, 1.0, 0.0)
    for temperature in TEMPERATURES:
        for mixture in MIXTURES:
            bits = float(np.mean(_bits(_mixed(said, temperature, mixture, shares), held)))
            best = min(best, (bits, float(temperature), float(mixture)))
    return best[1], best[2]


def _of_numbers(lesson: Lesson, truth: Floats, tuned: Outputs, kept: Floats, model: Family) -> tuple[Floats, Floats]:
    """As `_surprises`: bits of Gaussian densities, in units of the target's own spread."""
    mean, spread = float(lesson.train_y.mean()), float(lesson.train_y.std()) or 1.0
    known, guess = (kept - mean) / spread, (tuned.scores[:, 0] - mean) / spread
    trust = float(np.clip(known @ guess / max(float(guess @ guess), 1e-300), 0.0, 1.0))
    sigma = max(float(np.sqrt(np.mean((known - trust * guess) ** 2))), LEAST_SPREAD)
    values, said = (truth - mean) / spread, trust * (model(lesson).scores[:, 0] - mean) / spread
    return _gaussian_bits(values, 1.0), _gaussian_bits(values - said, sigma)


def _gaussian_bits(residual: Floats, sigma: float) -> Floats:
    result: Floats = 0.5 * np.log2(2 * np.pi * sigma**2) + residual**2 / (2 * sigma**2 * np.log(2))
    return result

"""Retrieval and few-shot learning on features: tasks in which nothing, or next to nothing, is trained.

Retrieval: each sample looks for others of its class, nearest first by cosine. Samples of its own unit are not there to
be found. Few-shot: k samples of each class are drawn and the class whose mean is nearest wins (Snell, Swersky, Zemel
2017), on features centred and of unit length (Wang et al. 2019, "SimpleShot", CL2N); repeated over DRAWN sets of
examples, the same for raw and decoded features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from taskcodec.evaluation.predictors.linear import unit_length
from taskcodec.evaluation.predictors.metrics import mean_scores
from taskcodec.evaluation.scores.intervals import Scores
from taskcodec.evaluation.tasks.holdout import Split

Float32s = npt.NDArray[np.float32]
RECALLS = (1, 5, 10)
SHOTS = (1, 5, 10)
DRAWN = 20
MAX_QUERIES = 5000
"""At most this many samples query, drawn by seed: the work is queries times samples."""
BLOCK = 256


def retrieval_scores(
    features: Float32s, classes: npt.NDArray[np.intp], units: npt.NDArray[np.int64], split: Split, seed: int = 0
) -> dict[str, Scores]:
    """recall@1, @5, @10 and retrieval_map of the rows split.test, looking among split.train.

    Every row looks among all others where both sides are the same rows. Queries with none of their class to find are
    left out; empty where no query is left.
    """
    queries = np.sort(np.random.default_rng(seed).permutation(split.test)[:MAX_QUERIES])
    mean = features[split.train].mean(axis=0, dtype=np.float64)
    gallery, rows = unit_length(features[split.train] - mean), split.train
    recalls: dict[int, list[npt.NDArray[np.bool_]]] = {k: [] for k in RECALLS}
    precisions, drawn = [], []
    for start in range(0, len(queries), BLOCK):
        part = queries[start : start + BLOCK]
        likeness = unit_length(features[part] - mean) @ gallery.T
        own = units[part, None] == units[rows]
        likeness[own] = -np.inf
        order = np.argsort(-likeness, axis=1, kind="stable")
        there = ~np.take_along_axis(own, order, 1)
        right = (classes[part, None] == classes[rows][order]) & there
        some = right.any(axis=1)
        right, part = right[some], part[some]
        ranks = np.arange(1, right.shape[1] + 1)
        precisions.append(np.sum(right * (np.cumsum(right, axis=1) / ranks), axis=1) / right.sum(axis=1))
        for k in RECALLS:
            recalls[k].append(right[:, :k].any(axis=1))
        drawn.append(units[part])
    found = np.concatenate(drawn)
    if not len(found):
        return {}
    scores = {f"recall@{k}": mean_scores(found, np.concatenate(recalls[k])) for k in RECALLS}
    return {**scores, "retrieval_map": mean_scores(found, np.concatenate(precisions))}


def few_shot_scores(
    features: Float32s,
    classes: npt.NDArray[np.intp],
    units: npt.NDArray[np.int64],
    split: Split,
    shots: int,
    seed: int = 0,
) -> Scores | None:
    """Accuracy of the nearest class mean, from `shots` units of each class on side split.train.

    Tested on the rows of split.test whose units gave no example. Classes of fewer than shots + 1 units are left out;
    None where fewer than two classes are left.
    """
    rng, correct, drawn = np.random.default_rng(seed), [], []
    kept = [c for c in np.unique(classes) if len(np.unique(units[split.train[classes[split.train] == c]])) > shots]
    if len(kept) < 2:
        return None
    candidates = split.test[np.isin(classes[split.test], kept)]
    by_class = [split.train[classes[split.train] == c] for c in kept]
    for _ in range(DRAWN):
        examples = [_examples(rows, units, shots, rng) for rows in by_class]
        shown = np.concatenate(examples)
        tested = candidates[~np.isin(units[candidates], units[shown])]
        if not len(tested):
            continue
        mean = features[shown].mean(axis=0, dtype=np.float64)
        centres = np.stack([unit_length(features[rows] - mean).mean(axis=0) for rows in examples])
        # Nearest in Euclidean distance: |x - c|^2 = 1 - 2 x c + |c|^2 for x of unit length.
        nearness = 2 * unit_length(features[tested] - mean) @ centres.T - np.sum(centres**2, axis=1)
        correct.append(np.array(kept)[np.argmax(nearness, axis=1)] == classes[tested])
        drawn.append(units[tested])
    return mean_scores(np.concatenate(drawn), np.concatenate(correct)) if correct else None


def _examples(
    rows: npt.NDArray[np.intp], units: npt.NDArray[np.int64], shots: int, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """One row of each of `shots` units."""
    shuffled = rng.permutation(rows)
    first = np.unique(units[shuffled], return_index=True)[1]
    return shuffled[np.sort(first)[:shots]]

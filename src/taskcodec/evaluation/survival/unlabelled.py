"""What decoded features keep of the raw ones, without labels: neighbours, variance, direction.

    recall@10: a raw sample asks among all decoded ones; how many of its 10 nearest by raw features come back?

That is how such stores are searched: what is asked for is at hand as it is, and what is searched is decoded. Neighbours
are the nearest by cosine of features as they are, and by Euclidean distance (L2). A sample is not there to be found by
itself, nor are its copies. Where several are equally near, each order of them is as good: a sample as near as the tenth
counts as one of the ten, and where decoded ones are equally near, what is found is the mean over their orders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.engines.encode.local import Progress
from taskcodec.evaluation.predictors.metrics import mean_scores
from taskcodec.evaluation.scores.intervals import Interval
from taskcodec.evaluation.scores.verdict import MIN_UNITS, interval
from taskcodec.fitting.closed_form.likeness import likeness, unit

Float32s = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
NEIGHBOURS = 10
MAX_QUERIES = 2000
"""At most this many samples ask, drawn by seed: the work is queries times samples."""
BLOCK_NUMBERS = 2**23
"""So many likenesses are held at once."""
_ROUNDING = 1e-12
"""Share of squared lengths below which nearness differs by rounding alone."""


@dataclass(frozen=True)
class Recall:
    """recall@10 with 95 % intervals, from 0 to 1.

    Attributes:
        cosine: neighbours by cosine.
        l2: neighbours by Euclidean distance.
        queries: how many samples asked; the intervals are a bootstrap over these.
    """

    cosine: Interval
    l2: Interval
    queries: int


@dataclass(frozen=True)
class Kept:
    """What is kept without regard to any task.

    Attributes:
        recall_at_10: None where fewer than MIN_UNITS samples have 10 others to find.
        variance_kept, mean_cosine: see `Likeness`.
    """

    recall_at_10: Recall | None
    variance_kept: float | None
    mean_cosine: float | None


def what_is_kept(
    raw: Float32s,
    decoded: Float32s,
    units: npt.NDArray[np.int64],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Kept:
    """Measure decoded (n, d) against raw (n, d) features, row by row the same samples.

    Args:
        raw, decoded: features, all finite.
        units: (n,) samples of one number are copies of one another (see `unit_numbers`).
        seed: of the samples that ask, and of the bootstrap.
        progress: called with (queries done, queries in all), for cosine and L2 together.
    """
    like = likeness(raw, decoded)
    return Kept(_recall(raw, decoded, units, seed, progress), like.variance_kept, like.mean_cosine)


def _recall(
    raw: Float32s, decoded: Float32s, units: npt.NDArray[np.int64], seed: int, progress: Progress | None
) -> Recall | None:
    others = len(raw) - np.bincount(units)[units]
    able = np.flatnonzero(others >= NEIGHBOURS)
    queries = np.sort(np.random.default_rng(seed).permutation(able)[:MAX_QUERIES])
    if len(np.unique(units[queries])) < MIN_UNITS:
        return None
    total = 2 * len(queries)

    def found(x: Floats, y: Floats, before: int) -> Interval:
        report = None if progress is None else lambda done: progress(before + done, total)
        return interval(mean_scores(units[queries], _shares(x, y, units, queries, report)), seed=seed)

    cosine = found(unit(raw.astype(np.float64)), unit(decoded.astype(np.float64)), 0)
    # Distances know nothing of where the origin is, but their rounding does: it is put amid the samples.
    middle = np.median(raw[queries], axis=0).astype(np.float64)
    return Recall(cosine, found(raw - middle, decoded - middle, len(queries)), len(queries))


def _shares(
    raw: Floats,
    decoded: Floats,
    units: npt.NDArray[np.int64],
    queries: npt.NDArray[np.intp],
    report: Callable[[int], None] | None,
) -> Floats:
    """(q,) the share of each query's neighbours that is found, where nearest means the least Euclidean distance."""
    # |q - x|^2 = |q|^2 - 2 (q x - |x|^2 / 2): the nearest has the largest bracket. Vectors of length 1: by cosine.
    halves = [np.square(x).sum(axis=1) / 2 for x in (raw, decoded)]
    block, shares = max(1, BLOCK_NUMBERS // len(raw)), []
    for start in range(0, len(queries), block):
        part = queries[start : start + block]
        own = units[part, None] == units
        nearness = [raw[part] @ x.T - half for x, half in zip((raw, decoded), halves, strict=True)]
        for values in nearness:
            values[own] = -np.inf
        shares.append(_found(nearness[0], nearness[1], 2 * halves[0][part, None]))
        if report is not None:
            report(start + len(part))
    return np.concatenate(shares)


def _found(wanted: Floats, offered: Floats, squares: Floats) -> Floats:
    """(q,) shares of the neighbours by nearness `wanted` (q, n) that are among those by `offered`.

    squares: (q, 1) squared lengths of the queries, against which nearness is rounded.
    """
    tenth = [-np.partition(-values, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1, None] for values in (wanted, offered)]
    rounding = [_ROUNDING * (squares + np.abs(values)) for values in tenth]
    right = wanted >= tenth[0] - rounding[0]
    nearer, alike = offered > tenth[1] + rounding[1], np.abs(offered - tenth[1]) <= rounding[1]
    places = NEIGHBOURS - nearer.sum(axis=1)
    hits = (right & nearer).sum(axis=1) + places * (right & alike).sum(axis=1) / alike.sum(axis=1)
    return np.asarray(hits / NEIGHBOURS, dtype=np.float64)

"""The cheapest rate whose probe loss stays inside a tolerance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.predictors.probing import probe_accuracy, probe_r2
from taskcodec.evaluation.tasks.targets import kind_of, numbers_of
from taskcodec.words import counted

Numbers = npt.NDArray[np.float64]
Kind = Literal["classification", "regression"]

GRID_BITS = tuple(float(round(8 * 2 ** (i / 2))) for i in range(19))
"""Rates tried, from 8 to 4096 bits per sample."""
SPLITS = 4
TRAIN_SHARE = 0.7
MIN_LABELLED = 20
"""Fewer labelled samples than this measure nothing."""


@dataclass(frozen=True)
class Tolerated:
    """The codec that was chosen, and what was measured on the way.

    Attributes:
        codec: the cheapest that stays inside the tolerance.
        metric: "accuracy" of classes, or "r2" of numbers.
        raw: what the probe reaches on the uncompressed features, 1 at best.
        kept: what it reaches on what `codec` gives back.
        bits: the rate that `codec` was fitted for.
        tried: (bits, reached) of every rate tried, cheapest last; rates that these features cannot fill are left out.
    """

    codec: Codec
    metric: Literal["accuracy", "r2"]
    raw: float
    kept: float
    bits: float
    tried: tuple[tuple[float, float], ...]

    def __str__(self) -> str:
        name = "accuracy" if self.metric == "accuracy" else "R2"
        return f"{name} {self.raw:.3f} of the features as they are, {self.kept:.3f} at {self.bits:g} bits"


def cheapest_within(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.object_],
    points: float,
    at: Callable[[float], Codec],
    kind: str | None = None,
) -> Tolerated:
    """Try rates downwards until the probe loses more than `points` percentage points.

    Args:
        features: (n, d) labelled features; the codecs do not see the labels.
        labels: (n,) classes or numbers as text.
        points: accepted loss of accuracy, or of 100 R2, in percentage points, as a mean over SPLITS random splits.
        at: gives the codec for a rate in bits per sample. Let it fit one anew: the map of a fit depends on its rate,
            since columns out of range get a coarser step and weak ones are left out.
        kind: "classification" or "regression"; None as `evaluate` tells: whole numbers of many values are regressed.

    Raises:
        SourceError: too few labels, or labels that are no classes.
        UsageError: labels that the features say nothing about, or no rate up to 4096 bits stays inside the tolerance.
    """
    if not (np.isfinite(points) and points >= 0):
        raise UsageError(f"--tolerance is a loss in percentage points, 0 or more; found {points:g}")
    if kind not in (None, *get_args(Kind)):
        raise UsageError(f"--kind must be one of {', '.join(get_args(Kind))}, found {kind}")
    measure: Callable[[npt.NDArray[np.float32]], float]
    regress = (kind or kind_of(labels.tolist())) == "regression"
    if regress:
        numbers = numbers_of("--tolerance", labels.tolist())
        measure = partial(_r2, numbers=numbers)
        raw = _checked_r2(features, numbers)
    else:
        measure = partial(_accuracy, labels=labels)
        raw = _checked_accuracy(features, labels)
    tried: list[tuple[float, float]] = []
    best, refusal = None, None
    for bits in reversed(GRID_BITS):
        try:
            codec = at(bits)
        except UsageError as error:  # features of few dimensions hold no more than so many bits
            refusal = error
            continue
        found = measure(codec.decode(codec.encode(features)))
        tried.append((bits, found))
        if 100 * (raw - found) > points:
            if best is not None:
                break
            continue
        best = codec, found, bits
    if not tried and refusal is not None:
        raise refusal
    if best is None:
        raise UsageError(f"no rate up to {GRID_BITS[-1]:g} bits keeps the probe within {points:g} points of {raw:.3f}")
    codec, kept, bits = best
    return Tolerated(codec, "r2" if regress else "accuracy", raw, kept, bits, tuple(tried))


def _checked_r2(features: npt.NDArray[np.float32], numbers: Numbers) -> float:
    """The probe's R2 on the features as they are. Raises SourceError where labels are too few or no classes,
    UsageError where a loss of it would mean nothing.
    """
    if len(numbers) < MIN_LABELLED:
        raise SourceError(f"--tolerance needs {MIN_LABELLED} labelled samples or more, found {len(numbers)}")
    raw = _r2(features, numbers)
    if raw <= 0:
        raise UsageError(
            f"--tolerance: these features do not predict these numbers (R2 {raw:.3f}, always naming their mean 0); "
            "name a rate instead (--bits), or --kind classification if they are names of classes"
        )
    return raw


def _checked_accuracy(features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_]) -> float:
    """The probe's accuracy on the features as they are. Raises SourceError where labels are too few or no classes,
    UsageError where a loss of it would mean nothing.
    """
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    if 2 * len(classes) > max(len(labels), MIN_LABELLED):
        raise SourceError(
            f"--tolerance needs classes, each with several samples; found {len(classes)} different labels on "
            f"{counted(len(labels), 'sample')}"
        )
    several = int((counts > 1).sum())
    if len(labels) < MIN_LABELLED or several < 2:
        raise SourceError(
            f"--tolerance needs {MIN_LABELLED} labelled samples or more, of 2 classes or more with several samples "
            f"each; found {len(labels)}, of {several}"
        )
    raw, guess = _accuracy(features, labels), float(counts.max() / len(labels))
    if raw <= guess:
        raise UsageError(
            f"--tolerance: these features do not predict these labels (accuracy {raw:.3f}, always naming the "
            f"commonest class {guess:.3f}); name a rate instead (--bits)"
        )
    return raw


def _accuracy(features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_]) -> float:
    found = []
    for seed in range(SPLITS):
        train, test = _split(labels, seed)
        found.append(probe_accuracy(features[train], labels[train], features[test], labels[test]).value)
    return float(np.mean(found))


def _r2(features: npt.NDArray[np.float32], numbers: Numbers) -> float:
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(numbers))
        train, test = np.split(order, [round(TRAIN_SHARE * len(order))])
        found.append(probe_r2(features[train], numbers[train], features[test], numbers[test]).value)
    return float(np.mean(found))


def _split(labels: npt.NDArray[np.object_], seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """A random split into training and test samples with TRAIN_SHARE of every class in training, one sample at least.

    Classes of one sample, which can be learnt or tested but not both, are trained on.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    _, class_of, counts = np.unique(labels[order].astype(str), return_inverse=True, return_counts=True)
    grouped = np.argsort(class_of, kind="stable")
    place = np.empty(len(labels), np.intp)  # of each sample within its class
    place[grouped] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = np.clip(np.round(TRAIN_SHARE * counts), 1, np.maximum(counts - 1, 1))
    inside = place < share[class_of]
    return order[inside], order[~inside]

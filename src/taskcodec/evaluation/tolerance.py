"""The cheapest rate whose probe loss stays inside a tolerance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.evaluation.probes import probe_accuracy

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
        raw_accuracy: of the probe on the uncompressed features, 0 to 1.
        tried: (bits, accuracy) of every rate tried, cheapest last; rates that these features cannot fill are left out.
    """

    codec: Codec
    raw_accuracy: float
    tried: tuple[tuple[float, float], ...]


def cheapest_within(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_], points: float, at: Callable[[float], Codec]
) -> Tolerated:
    """Try rates downwards until the probe loses more than `points` percentage points.

    Args:
        features: (n, d) labelled features; the codecs do not see the labels.
        labels: (n,) classes as text.
        points: accepted loss of accuracy, in percentage points, as a mean over SPLITS random splits.
        at: gives the codec for a rate in bits per sample. Let it fit one anew: the map of a fit depends on its rate,
            since columns out of range get a coarser step and silent ones are dropped.

    Raises:
        UsageError: too few labels, labels that are no classes or that the features say nothing about, or no rate up to
            4096 bits stays inside the tolerance.
    """
    raw = _checked_accuracy(features, labels, points)
    tried: list[tuple[float, float]] = []
    best, refusal = None, None
    for bits in reversed(GRID_BITS):
        try:
            codec = at(bits)
        except UsageError as error:  # features of few dimensions hold no more than so many bits
            refusal = error
            continue
        found = _accuracy(codec.decode(codec.encode(features)), labels)
        tried.append((bits, found))
        if 100 * (raw - found) > points:
            if best is not None:
                break
            continue
        best = codec
    if not tried and refusal is not None:
        raise refusal
    if best is None:
        raise UsageError(f"no rate up to {GRID_BITS[-1]:g} bits keeps the probe within {points:g} points of {raw:.3f}")
    return Tolerated(best, raw, tuple(tried))


def _checked_accuracy(features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_], points: float) -> float:
    """The probe's accuracy on the features as they are. Raises UsageError where a loss of it would mean nothing."""
    if not (np.isfinite(points) and points >= 0):
        raise UsageError(f"--tolerance is a loss of accuracy in percentage points, 0 or more; found {points:g}")
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    if 2 * len(classes) > max(len(labels), MIN_LABELLED):
        raise UsageError(
            f"--tolerance needs classes, each with several samples; found {len(classes)} different labels on "
            f"{len(labels)} samples (numbers to regress are no classes)"
        )
    several = int((counts > 1).sum())
    if len(labels) < MIN_LABELLED or several < 2:
        raise UsageError(
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

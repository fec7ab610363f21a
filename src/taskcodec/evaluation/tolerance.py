"""The cheapest rate whose probe loss stays inside a tolerance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.evaluation.probes import probe_accuracy

GRID_BITS = tuple(float(round(32 * 2 ** (i / 2))) for i in range(15))
"""Rates tried, from 32 to 4096 bits per sample."""
SPLITS = 4
TRAIN_SHARE = 0.7


@dataclass(frozen=True)
class Tolerated:
    """The codec that was chosen, and what was measured on the way.

    Attributes:
        codec: the cheapest that stays inside the tolerance.
        raw_accuracy: of the probe on the uncompressed features, 0 to 1.
        tried: (bits, accuracy) of every rate tried, cheapest last.
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
        at: gives the codec for a rate in bits per sample.

    Raises:
        UsageError: too few labels, or no rate up to 4096 bits stays inside the tolerance.
    """
    if points < 0 or len(labels) < 20 or len(set(labels.tolist())) < 2:
        raise UsageError("a tolerance of at least 0 needs 20 labelled samples or more, of 2 classes or more")
    raw, tried, best = _accuracy(features, labels), [], None
    for bits in reversed(GRID_BITS):
        codec = at(bits)
        found = _accuracy(codec.decode(codec.encode(features)), labels)
        tried.append((bits, found))
        if 100 * (raw - found) > points:
            if best is not None:
                break
            continue
        best = codec
    if best is None:
        raise UsageError(f"no rate up to {GRID_BITS[-1]:g} bits keeps the probe within {points:g} points of {raw:.3f}")
    return Tolerated(best, raw, tuple(tried))


def _accuracy(features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_]) -> float:
    found = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(labels))
        cut = int(TRAIN_SHARE * len(labels))
        train, test = order[:cut], order[cut:]
        found.append(probe_accuracy(features[train], labels[train], features[test], labels[test]).value)
    return float(np.mean(found))

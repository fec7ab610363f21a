"""How like raw features decoded ones are, without regard to any task: the variance kept, and the direction."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
BLOCK_ROWS = 2**14


@dataclass(frozen=True)
class Likeness:
    """What decoded features keep of raw ones.

    Attributes:
        variance_kept: 1 - (mean squared error) / (mean squared distance from the mean): 1 where nothing is lost, 0
            where the mean alone is kept; None where raw features do not vary.
        of_median_feature: the same of the features one by one, in the median of those that vary; None likewise.
        mean_cosine: of samples before and after, those of length 0 left out; None where all are.
    """

    variance_kept: float | None
    of_median_feature: float | None
    mean_cosine: float | None


def likeness(raw: Floats, decoded: Floats) -> Likeness:
    """Measure decoded (n, d) against raw (n, d) features, row by row the same samples, n >= 1."""
    mean = raw.mean(axis=0, dtype=np.float64)
    varies, lost, cosines = np.zeros(len(mean)), np.zeros(len(mean)), []
    for start in range(0, len(raw), BLOCK_ROWS):
        before, after = (x[start : start + BLOCK_ROWS].astype(np.float64) for x in (raw, decoded))
        varies += np.square(before - mean).sum(axis=0)
        lost += np.square(before - after).sum(axis=0)
        cosines.append(np.einsum("nd,nd->n", unit(before), unit(after))[before.any(axis=1)])
    pointing, varying = np.concatenate(cosines), varies > 0
    return Likeness(
        variance_kept=1 - float(lost.sum() / varies.sum()) if varying.any() else None,
        of_median_feature=1 - float(np.median(lost[varying] / varies[varying])) if varying.any() else None,
        mean_cosine=float(pointing.mean()) if len(pointing) else None,
    )


def unit(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, d) at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(lengths > 0, lengths, 1.0), dtype=np.float64)

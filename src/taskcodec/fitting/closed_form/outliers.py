"""Rows so far from the rest that no codec should be made for them: one alone would move the centre and the step."""

import numpy as np
import numpy.typing as npt

FAR = 100.0
"""Rows this many times as far from the median as the median row are left out of fits. Nothing that networks compute of
real inputs comes near it; a broken sensor, a unit mixed up or an overflow does."""


def without_outliers(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, d) finite features -> (m, d) those to fit to, m >= n / 2. What is left out is still coded, by escapes."""
    distance = np.linalg.norm(x.astype(np.float64) - np.median(x, axis=0), axis=1)
    usual = distance <= FAR * np.median(distance)
    return x if usual.all() or not np.median(distance) > 0 else x[usual]

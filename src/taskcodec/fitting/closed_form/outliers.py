"""Rows so far from the rest that no codec should be made for them: one alone would move the centre and the step."""

import numpy as np
import numpy.typing as npt

FAR = 100.0
"""Rows this many times as far from the median as the median row are left out of fits. Nothing that networks compute of
real inputs comes near it; a broken sensor, a unit mixed up or an overflow does."""


def far_rows(x: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """(n, d) finite features -> (k,) the rows that are left out of fits, k <= n / 2."""
    distance = np.linalg.norm(x.astype(np.float64) - np.median(x, axis=0), axis=1)
    middle = np.median(distance)
    return np.flatnonzero(distance > FAR * middle) if middle > 0 else np.empty(0, np.intp)


def without_outliers(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, d) finite features -> (m, d) those to fit to, m >= n / 2. What is left out is still coded, by escapes."""
    far = far_rows(x)
    return np.delete(x, far, axis=0) if len(far) else x

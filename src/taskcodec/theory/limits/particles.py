"""Wasserstein gradient descent: a law of weighted points that move (Yang, Eckstein, Nutz, Mandt, "Estimating the
rate-distortion function by Wasserstein gradient descent", NeurIPS 2023).

    psi(y) = -E exp(F(x) - lambda |x - y|^2)        y <- y - step grad psi(y),      w(y) <- -w(y) psi(y)

The second is Blahut and Arimoto's step. m points bound rates up to log2 m; beyond about ten features that is the end.
"""

import numpy as np
from scipy.special import logsumexp

from taskcodec.theory.limits.laws import Floats, PointLaw, log_of, squared_distances

POINTS, STEPS, BATCH = 500, 120, 1000
"""Points, steps, and samples that a step looks at."""
TAIL = 40
"""Over so many last steps the length of a step falls to nothing, so that the batches' noise is averaged."""


def descend(x: Floats, slope: float, start: Floats) -> PointLaw:
    """The law that (m, d) points come to, from (n, d) samples at a slope."""
    rng, y, w = np.random.default_rng(0), start.copy(), np.full(len(start), 1 / len(start))
    size = min(BATCH, len(x))
    for step in range(STEPS):
        batch = x if size == len(x) else x[rng.choice(len(x), size, replace=False)]
        exponents = log_of(w) - slope * squared_distances(batch, y)
        q = np.exp(exponents - logsumexp(exponents, axis=1)[:, None])
        mass = q.sum(axis=0)
        length = min(1.0, (STEPS - step) / TAIL)
        # With a step of w / (2 lambda mass) for each point, y - step grad psi is the mean of what it stands for.
        target = (q.T @ batch) / np.maximum(mass, np.finfo(np.float64).tiny)[:, None]
        y = np.where(mass[:, None] > 0, y + length * (target - y), y)
        w = (1 - length) * w + length * mass / len(batch)
    kept = w > 0
    return PointLaw(y[kept], w[kept] / w[kept].sum(), "Wasserstein gradient descent")

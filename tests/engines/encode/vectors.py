"""Vectors as encoders give them: few directions, and some noise."""

import numpy as np


def low_rank(n, d=24, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(4, d))
    return (rng.normal(size=(n, 4)) @ directions + noise * rng.normal(size=(n, d))).astype("f4")

"""Sources whose R(D) is known, and samples of them."""

import math

import numpy as np

from taskcodec.theory.limits.closed_forms import gaussian_bits, noisy_sphere_bits, sphere_bits

PLANE = np.array([2.0, 1.3137 / 2])
"""Variances of a Gaussian whose F at slope 1.5 is that of RD-sandwich's: the product alone counts."""


def gaussian(variances):
    return lambda n, seed: np.random.default_rng(seed).standard_normal((n, len(variances))) * np.sqrt(variances)


def sphere(dimension, noise=0.0):
    def draw(n, seed):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((n, dimension))
        return x / np.linalg.norm(x, axis=1)[:, None] + math.sqrt(noise) * rng.standard_normal((n, dimension))

    return draw


KNOWN = {
    "gaussian, 2": (gaussian(PLANE), lambda d: gaussian_bits(PLANE, d), (0.2, 2 / 3)),
    "gaussian, 20": (
        gaussian(1 / np.arange(1, 21)),
        lambda d: gaussian_bits(1 / np.arange(1, 21), d),
        (0.2, 1.0),
    ),
    "sphere and noise, 2": (sphere(2, 0.1), lambda d: noisy_sphere_bits(2, 0.1, d), (0.1, 0.2)),
    "sphere and noise, 5": (sphere(5, 0.1), lambda d: noisy_sphere_bits(5, 0.1, d), (0.5,)),
    "sphere, 3": (sphere(3), lambda d: sphere_bits(3, d), (0.23437,)),
}
"""How to draw, R(D) in bits, and distortions."""

"""Spatial tables of random weights: any latent codes by them, well or badly."""

import numpy as np

from taskcodec.coding import SpatialTables, freeze_pmf
from taskcodec.coding.models.spatial.choice import parts_of
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.group import Checkerboard, SpatialGroup

LEVELS, SIDE, REACH, CAP = 5, 3, 15, 255


def convolution(rng, inputs, outputs, k=3, shift=5, stride=1, grow=1, weight=40):
    weights = rng.integers(-weight, weight + 1, (outputs * grow**2, k, k, inputs))
    return Convolution(weights, rng.integers(-99, 99, outputs * grow**2), shift, stride, grow)


def stack(rng, *layers):
    return Stack(REACH, CAP, tuple(convolution(rng, *layer) for layer in layers))


def group(rng, columns, features, before=0, checkerboard=True, means=True):
    first = stack(rng, (before, 4, 5, 4)) if before else None
    mix = convolution(rng, features + (4 if before else 0), 6, 1, 4)
    taps = Checkerboard(rng.integers(-40, 41, (6, 12, columns)), rng.integers(-99, 99, 6), REACH)
    rest = (convolution(rng, 6, 5, 1), convolution(rng, 5, (1 + means) * columns, 1, 9))
    return SpatialGroup(columns, first, mix, taps if checkerboard else None, rest, CAP)


def bank(phases):
    run = np.arange(-40, 41)
    own = [np.exp(-np.abs(run) / 4)] * SIDE
    means = [part / parts_of(phases) for part in range(phases)]
    shared = [np.exp(-np.abs(run - mean) * 2.0 ** (1 - s)) for s in range(LEVELS) for mean in means]
    return freeze_pmf(np.full(SIDE + len(shared), -40), own + shared, 2.0**-12)


def spatial_tables(sizes=(2, 3), given=0, seed=0, checkerboard=True, means=True):
    """Groups of these sizes, conditional on so many channels of layers below."""
    rng = np.random.default_rng(seed)
    side = stack(rng, (sum(sizes), 4), (4, 4, 3, 8, 2), (4, SIDE, 5, 8, 2))
    hyper = stack(rng, (SIDE, 4, 3, 4, 1, 2), (4, 5, 3, 6, 1, 2))
    below = stack(rng, (given, 4)) if given else None
    features = 5 + (4 if given else 0)
    groups = [group(rng, m, features, sum(sizes[:g]), checkerboard, means) for g, m in enumerate(sizes)]
    phases = 4 if means else 1
    return SpatialTables(bank(phases), side, hyper, tuple(groups), LEVELS, phases, below)


def latents(n, channels, h, w, seed=0):
    """Rounded Laplacians, and two symbols that every table escapes."""
    y = np.round(np.random.default_rng(seed).laplace(size=(n, channels, h, w)) * 3).astype(np.int32)
    if y.size:
        y[0, 0, 0, 0], y[-1, -1, -1, -1] = -2_000_000_000, 2**31 - 1
    return y

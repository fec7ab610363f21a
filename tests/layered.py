"""Codecs of two layers, made by hand: a coarse base, and an enhancement of what it leaves, conditioned on it."""

from dataclasses import replace

import numpy as np

import taskcodec
from taskcodec.coding import ConditionalTables, Group, freeze_pmf
from taskcodec.entropy_models.empirical import freeze
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.residual import Residual
from tests.coding.models.test_integer_network import random_network

DIMENSION, LEVELS = 12, 3
FINE = 0.125
REACH = 60


def conditional_on(columns, below, seed=3):
    """Tables of so many columns whose scale a random integer network chooses from the symbols below."""
    run = np.arange(-REACH, REACH + 1)
    bank = freeze_pmf(np.full(LEVELS, -REACH), [np.exp(-np.abs(run) / 2.0**s) for s in range(LEVELS)], 2.0**-12)
    group = Group(columns, 0, random_network(below, (6,), columns, seed, weight=300), LEVELS)
    return ConditionalTables(bank, (group,), given_columns=below)


def features(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype("f4")


def layered(independent=False):
    """A base of whole numbers and an enhancement in eighths; its tables look at the base unless `independent`."""
    codec = taskcodec.fit(features(600), step=1.0, method="dimensionwise")
    base = codec.base
    affine = AffineTransform("identity", np.zeros(DIMENSION, "f4"), np.ones(DIMENSION, "f4"))
    left = features(600) - codec.decode(codec.encode(features(600)))
    found = freeze(left, FINE, 0.5)
    fine, model = found.quantizer, found.model
    if not independent:
        model = conditional_on(DIMENSION, base.columns)
        fine = UniformQuantizer.unshifted(FINE, 0.5, None, DIMENSION)
    detail = Layer("detail", Residual(affine), fine, model, base.sketch[:0], given=("base",))
    return replace(codec, layers=(base, detail))

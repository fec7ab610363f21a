"""Codecs with conditional tables, made without training: random integer networks choose the tables."""

from dataclasses import replace

import numpy as np

from taskcodec.coding import ConditionalTables, Group, freeze_pmf
from tests.coding.models.test_integer_network import random_network

LEVELS = 5


def conditional_tables(columns, side=2, seed=0):
    """Side information of `side` columns, and a latent of `columns` by index and mean in quarters."""
    run = np.arange(-40, 41)
    own = [np.exp(-np.abs(run) / 4)] * side
    shared = [np.exp(-np.abs(run - f / 4) * 2.0 ** (1 - s)) for s in range(LEVELS) for f in range(4)]
    bank = freeze_pmf(np.full(side + len(shared), -40), own + shared, 2.0**-12)
    network = random_network(side, (6,), 2 * columns, seed, weight=300)
    groups = (Group(side), Group(columns, side, network, LEVELS, 2))
    return ConditionalTables(bank, groups, side=random_network(columns, (6,), side, seed + 1, weight=300))


def conditional(codec):
    """The same transform and quantizer with such tables; reconstruction points stay."""
    return codec.with_base(replace(codec.base, model=conditional_tables(codec.base.transform.columns)))

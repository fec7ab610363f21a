"""A latent tree's probabilities as tables of integers, once and for all."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.growth import growth_of
from taskcodec.coding.models.latent.tree import LatentTree
from taskcodec.coding.models.tables import freeze_pmf
from taskcodec.coding.symbol_model import Symbols
from taskcodec.entropy_models.latent_trees.em import Tree
from taskcodec.samples import spread_rows

ESCAPE = 2.0**-20
"""What is left to symbols outside a column's run: each table gives them at least one count in 2**16."""
LOOKED_AT = 128
"""Samples by which is judged how fast a chain of rows may grow."""


def freeze(
    tree: Tree, first: npt.NDArray[np.int32], sizes: npt.NDArray[np.int32], symbols: Symbols | None = None
) -> LatentTree:
    """The tables of a tree.

    Args:
        tree: its probabilities.
        first: (c,) the smallest symbol of each column, which slot 0 stands for.
        sizes: (c,) how many symbols of each column its tables hold, from the first on.
        symbols: (n, c) samples, which say how fast a chain of rows may grow; without any as fast as can be.
    """
    forest, k = tree.forest, tree.prior.shape[1]
    latent = [*tree.prior, *tree.transition.reshape(-1, k)]
    emitted = [tree.emission[column, : sizes[column], state] for column in range(forest.columns) for state in range(k)]
    pmfs = [np.asarray(pmf, np.float64) for pmf in (*latent, *emitted)]
    firsts = np.concatenate([np.zeros(len(latent), np.int32), np.repeat(first, k)])
    frozen = LatentTree(forest, k, freeze_pmf(firsts, pmfs, ESCAPE))
    if symbols is None:
        return frozen
    rows = symbols[spread_rows(len(symbols), LOOKED_AT)]
    return replace(frozen, growth=growth_of(frozen.bits_back, rows, frozen.code_length(rows)))

"""A hidden Chow-Liu tree of whole numbers: its shape by mutual information, its probabilities by EM."""

from collections.abc import Callable

import numpy as np

from taskcodec.coding.models.latent.tree import MAX_TABLES, MIN_STATES, LatentTree
from taskcodec.coding.symbol_model import Symbols
from taskcodec.entropy_models.latent_trees.chow_liu import hidden_tree
from taskcodec.entropy_models.latent_trees.em import Stepwise, Tree, improve, started
from taskcodec.entropy_models.latent_trees.freeze import freeze
from taskcodec.errors import UsageError

Progress = Callable[[int, int], None]
STATES = ((3000, 16), (600, 8), (150, 4), (0, 2))
"""So many samples bear so many states of each variable."""
VISITS, MOST_PASSES, BATCH = 480_000, 60, 2500
"""Samples are looked at so often, all in all; passes at most; samples in a batch."""
MAX_VALUES = 1024
"""Symbols of a column, from the smallest to the largest."""


def fit_tree(symbols: Symbols, progress: Progress | None = None) -> LatentTree:
    """(n, c) symbols -> a tree with a latent variable for each column.

    Raises UsageError where there are too many columns, or a column has too many symbols, for its tables.
    """
    n, c = symbols.shape
    first = symbols.min(axis=0)
    sizes = symbols.max(axis=0).astype(np.int64) - first + 1
    states = min(next(states for least, states in STATES if n >= least), MAX_TABLES // (2 * c))
    if states < MIN_STATES or sizes.max() > MAX_VALUES:
        raise UsageError(
            f"--model tree is for at most {MAX_TABLES // 4:,} columns of {MAX_VALUES:,} symbols,"
            f" found {c:,} of {int(sizes.max()):,}: take --model columns"
        )
    slots = symbols - first
    how = Stepwise(passes=int(np.clip(VISITS // n, 4, MOST_PASSES)), batch=min(BATCH, max(n // 4, 1)))
    steps = how.passes * -(-n // how.batch)

    def told(step: int, tree: Tree, nats: float) -> None:
        if progress is not None:
            progress(min(step, steps), steps)

    tree = started(hidden_tree(symbols), slots, states, int(sizes.max()), how.seed)
    return freeze(improve(tree, slots, how, told), first.astype(np.int32), sizes.astype(np.int32), symbols)

"""Every symbol is reached, and frequent ones soon."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding.models.mixing.trees import balanced_tree


def depths(tree, size):
    found = {}

    def down(node, depth):
        if node < 0:
            found[~node] = depth
            return
        for side in (0, 1):
            down(int(tree.children[side, node]), depth + 1)

    if size > 1:
        down(0, 0)
    return [found.get(symbol, 0) for symbol in range(size)]


@given(st.lists(st.integers(1, 2**30), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_each_symbol_has_one_leaf_and_masses_add_up(weights):
    weights = np.array(weights, np.int64)
    tree = balanced_tree(weights)
    assert tree.nodes == len(weights) - 1
    found = depths(tree, len(weights))
    assert all(depth > 0 for depth in found) or len(weights) == 1
    if tree.nodes:
        assert tree.masses(weights)[:, 0].sum() == weights.sum()


def test_frequent_symbols_take_few_decisions():
    assert depths(balanced_tree(np.array([1, 1, 100, 1, 1])), 5)[2] <= 2
    assert depths(balanced_tree(np.ones(8, np.int64)), 8) == [3] * 8

"""Latent trees whose tables come from integers alone, and samples of them."""

import numpy as np

from taskcodec.coding import Tables
from taskcodec.coding.models.latent.forest import Forest
from taskcodec.coding.models.latent.tree import LatentTree
from tests.coding.make_golden import golden_symbols


def forest(parents, owners):
    return Forest(np.array(parents, np.int32), np.array(owners, np.int32))


MIXTURE = forest([-1], [0, 0, 0, 0])
CHAIN = forest([-1, 0, 1], [0, 1, 2, 2])
TREE = forest([-1, -1, 0, 0, 0, 2, 3], [6, 0, 1, 2, 3, 4, 5, 2])


def tree_of(shape, states=4, values=6, seed=1):
    """A latent tree of this shape: peaked tables, each other's shifted, runs from -1 on; no float has a say."""
    roots = shape.levels[0].stop
    latent, emitted = roots + (shape.latents - roots) * states, shape.columns * states
    sizes = np.repeat(np.array([states, values], np.int32), [latent, emitted])
    weights = np.abs(golden_symbols(1, int((sizes + 1).sum()), seed)[0].astype(np.int64)) % 40
    counts, start = [], 0
    for number, size in enumerate(sizes.tolist()):
        own = 1 + weights[start : start + size] ** 3
        own[number % size] += 9000
        own = 1 + own * (65535 - size) // own.sum()
        own[0] += 65535 - own.sum()
        counts += [*own.tolist(), 1]
        start += size + 1
    first = np.repeat(np.array([0, -1], np.int32), [latent, emitted])
    return LatentTree(shape, states, Tables(first, sizes, np.array(counts, np.uint32)))


def probabilities(tree):
    """(r, K), (m - r, K, K), (c, K, V): those of its tables, escapes left out."""
    k, roots, c = tree.states, tree.forest.levels[0].stop, tree.forest.columns
    of = [tree.bank.column(number)[:-1] / 2**16 for number in range(tree.bank.columns)]
    latent = len(of) - c * k
    return (
        np.array(of[:roots]),
        np.array(of[roots:latent]).reshape(-1, k, k),
        np.array(of[latent:]).reshape(c, k, -1),
    )


def sampled(tree, count, seed=0):
    """(count, c) symbols and (count, m) states drawn from it."""
    rng, (prior, transition, emission) = np.random.default_rng(seed), probabilities(tree)

    def drawn(chances):
        ends = np.cumsum(chances / chances.sum(axis=-1, keepdims=True), axis=-1)
        found = (rng.random((count, 1)) > np.broadcast_to(ends, (count, ends.shape[-1]))).sum(axis=1)
        return np.minimum(found, ends.shape[-1] - 1)

    z, x = np.empty((count, tree.forest.latents), np.int32), np.empty((count, tree.columns), np.int32)
    for place, parent in enumerate(tree.forest.parents):
        z[:, place] = drawn(prior[place] if parent < 0 else transition[place - len(prior), z[:, parent]])
    for column, owner in enumerate(tree.forest.owners):
        x[:, column] = drawn(emission[column, z[:, owner]]) - 1
    return x, z


def joint_of(tree, x):
    """(states of all variables, n) log2 p(x, z) for every z, by brute force: x in the tables' runs."""
    prior, transition, emission = probabilities(tree)
    found = []
    for z in np.ndindex(*[tree.states] * tree.forest.latents):
        bits = np.zeros(len(x))
        for place, parent in enumerate(tree.forest.parents):
            bits += np.log2(
                prior[place, z[place]] if parent < 0 else transition[place - len(prior), z[parent], z[place]]
            )
        for column, owner in enumerate(tree.forest.owners):
            bits += np.log2(emission[column, z[owner], x[:, column] + 1])
        found.append(bits)
    return np.array(found)

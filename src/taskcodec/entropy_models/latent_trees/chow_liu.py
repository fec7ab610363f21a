"""The tree of the columns that tell most of one another (Chow and Liu, 1968): a maximum spanning tree."""

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.forest import Forest

MOST_ROWS = 6000
"""Samples that mutual information is taken from: it only ranks pairs of columns."""
LEVELS = 4
"""Levels of each column, as many samples in each as can be."""
Symbols = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def hidden_tree(symbols: Symbols) -> Forest:
    """(n, c) symbols -> a latent variable for each column, in the shape of their Chow-Liu tree about its centre."""
    rows = np.linspace(0, len(symbols) - 1, min(len(symbols), MOST_ROWS)).astype(np.intp)
    neighbours = _spanning(information(symbols[rows]))
    return _rooted(neighbours, _centre(neighbours))


def information(symbols: Symbols) -> Floats:
    """(n, c) symbols -> (c, c) mutual information of each pair of columns, in levels, in nats."""
    n, c = symbols.shape
    levels = levels_of(symbols)
    marks = np.stack([levels == level for level in range(LEVELS)], axis=2).reshape(n, c * LEVELS).astype(np.float32)
    joint = ((marks.T @ marks).reshape(c, LEVELS, c, LEVELS) / n).astype(np.float64)
    own = marks.mean(axis=0, dtype=np.float64)
    apart = np.outer(own, own).reshape(c, LEVELS, c, LEVELS)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log(joint / apart), 0.0)
    return np.asarray(terms.sum(axis=(1, 3)))


def levels_of(symbols: Symbols) -> npt.NDArray[np.int8]:
    """(n, c) symbols -> (n, c) levels 0 to LEVELS - 1 by the column's quantiles; equal symbols have one level."""
    n, c = symbols.shape
    found = np.empty((n, c), np.int8)
    for column in range(c):
        ordered = np.sort(symbols[:, column])
        below = np.searchsorted(ordered, symbols[:, column], side="left")
        upto = np.searchsorted(ordered, symbols[:, column], side="right")
        found[:, column] = (below + upto - 1) * LEVELS // (2 * n)
    return found


def _spanning(weights: Floats) -> list[list[int]]:
    """The neighbours of each node in the maximum spanning tree (Prim, 1957)."""
    c = len(weights)
    neighbours: list[list[int]] = [[] for _ in range(c)]
    best, source = weights[0].copy(), np.zeros(c, np.intp)
    best[0] = -np.inf
    for _ in range(c - 1):
        node = int(np.argmax(best))
        neighbours[node].append(int(source[node]))
        neighbours[int(source[node])].append(node)
        nearer = (weights[node] > best) & (best > -np.inf)
        best[nearer], source[nearer] = weights[node][nearer], node
        best[node] = -np.inf
    return neighbours


def _centre(neighbours: list[list[int]]) -> int:
    """The middle of the longest path: from there all nodes are near."""
    path = _farthest(neighbours, _farthest(neighbours, 0)[-1])
    return path[len(path) // 2]


def _farthest(neighbours: list[list[int]], start: int) -> list[int]:
    """The path from a node to one that is farthest from it."""
    before, order = {start: -1}, [start]
    for node in order:
        for other in neighbours[node]:
            if other not in before:
                before[other] = node
                order.append(other)
    path = [order[-1]]
    while before[path[-1]] >= 0:
        path.append(before[path[-1]])
    return path[::-1]


def _rooted(neighbours: list[list[int]], root: int) -> Forest:
    place, parents, order = {root: 0}, [-1], [root]
    for node in order:
        for other in neighbours[node]:
            if other not in place:
                place[other] = len(order)
                parents.append(place[node])
                order.append(other)
    owners = np.empty(len(order), np.int32)
    owners[order] = np.arange(len(order))
    return Forest(np.array(parents, np.int32), owners)

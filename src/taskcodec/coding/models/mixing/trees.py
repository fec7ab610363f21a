"""Binary decisions that lead to a symbol: a tree over 0, 1, ..., size - 1 in their order, balanced by weights.

    at node i:  symbol < middle[i]  -> left[i]        else -> right[i]        a child c < 0 is the symbol ~c

Neighbours stay together, so that what is learned of "small or large" serves all of them; frequent symbols take few
decisions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tree:
    """See the module.

    Attributes:
        middle: (nodes,) where each node splits; node 0 is the root.
        children: (2, nodes) left and right ones.
    """

    middle: Integers
    children: Integers

    @property
    def nodes(self) -> int:
        """size - 1."""
        return len(self.middle)

    def masses(self, weights: Integers) -> Integers:
        """(size,) weights -> (2, nodes) their sums on the left and on the right of each node."""
        below = np.concatenate([[0], np.cumsum(weights)])
        masses, spans = np.zeros((2, self.nodes), np.int64), [(0, 0, len(weights))] if self.nodes else []
        while spans:
            node, low, high = spans.pop()
            middle = int(self.middle[node])
            masses[:, node] = below[middle] - below[low], below[high] - below[middle]
            left, right = self.children[:, node].tolist()
            spans += [(left, low, middle)] * (left >= 0) + [(right, middle, high)] * (right >= 0)
        return masses


def balanced_tree(weights: Integers) -> Tree:
    """(size,) positive weights -> the tree that splits each span where its two sides weigh as alike as can be."""
    below = np.concatenate([[0], np.cumsum(weights)])
    nodes = max(len(weights) - 1, 0)
    middle, children = np.zeros(nodes, np.int64), np.zeros((2, nodes), np.int64)
    spans, made = [(0, 0, len(weights))] if nodes else [], 1
    while spans:
        node, low, high = spans.pop()
        cut = split(below, low, high)
        middle[node] = cut
        for side, (a, b) in enumerate(((low, cut), (cut, high))):
            if b - a == 1:
                children[side, node] = ~a
            else:
                children[side, node] = made
                spans.append((made, a, b))
                made += 1
    return Tree(middle, children)


def split(below: Integers, low: int, high: int) -> int:
    """Where a span of at least two symbols is halved; `below` are the sums of the weights before each symbol."""
    twice = int(below[low] + below[high])
    cut = int(np.searchsorted(2 * below[low + 1 : high], twice)) + low + 1
    cut = min(cut, high - 1)
    before = max(cut - 1, low + 1)
    return before if abs(2 * int(below[before]) - twice) <= abs(2 * int(below[cut]) - twice) else cut

"""One column, decision by decision: counts in several contexts foretell each, and are mixed (Mahoney's PAQ, 2005).

    odds of "right" = sum over contexts of weight * (log(count of right) - log(count of left))     in integers

A weight depends on how often its context was met. Nothing but the weights is shipped: the decoder counts along. So that
arrays serve many rows at once, rows are taken in blocks, each an eighth longer than all before it, and are counted when
their block is done.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import WEIGHT_BITS, Modelled
from taskcodec.coding.models.mixing.contexts import Places
from taskcodec.coding.models.mixing.logistic import LIMIT, LOGARITHM, MAX_COUNT, PROBABILITY

FIRST_BLOCK = 8
GROWTH_BITS = 3
LONGEST_BLOCK = 1 << 15
_STEPS = (1, 2, 3, 5, 8, 16, 32, 128, 512)

Integers = npt.NDArray[np.int64]
Decide = Callable[[Integers, Integers, Integers], npt.NDArray[np.bool_]]
"""(m,) rows, the nodes they are at and their chances of going right in units of 2**-16 -> which of them do."""


_BUCKET = np.searchsorted(np.array(_STEPS), np.arange(MAX_COUNT + 1), side="right").astype(np.int64)
"""The bucket, out of ten, of a context by how often it was met."""
DOUBTLESS = 10
"""Added to the bucket of a context that saw one outcome only."""


def blocks(rows: int) -> Iterator[tuple[int, int]]:
    """Where each block of rows begins and ends."""
    begin = 0
    while begin < rows:
        end = min(rows, begin + min(max(FIRST_BLOCK, begin >> GROWTH_BITS), LONGEST_BLOCK))
        yield begin, end
        begin = end


class Counts:
    """How often each place saw left and right, and what follows for the next decisions."""

    def __init__(self, column: Modelled, places: Places) -> None:
        self._seen = np.zeros((2, places.total), np.int32)
        if column.contexts[0] == ():
            self._seen[:, : column.tree.nodes] = column.start
        self._weights, self._context = column.weights, np.arange(len(column.contexts))[:, None]

    def evidence(self, places: Integers) -> tuple[Integers, Integers]:
        """(contexts, m) places -> their log odds of going right, and their buckets."""
        left, right = self._seen[0][places], self._seen[1][places]
        odds = LOGARITHM[right] - LOGARITHM[left]
        bucket = _BUCKET[np.minimum(left + right, MAX_COUNT)] + DOUBTLESS * ((left == 0) | (right == 0))
        return odds, bucket

    def chances(self, places: Integers) -> Integers:
        """(contexts, m) places -> (m,) chances of going right, in units of 2**-16."""
        odds, bucket = self.evidence(places)
        mixed = (self._weights[self._context, bucket] * odds).sum(axis=0) >> WEIGHT_BITS
        return np.asarray(PROBABILITY[np.clip(mixed, -LIMIT, LIMIT) + LIMIT], np.int64)

    def count(self, places: Integers, right: npt.NDArray[np.bool_]) -> None:
        """Count decisions (m,) at (contexts, m) places."""
        np.add.at(self._seen[1], places[:, right], 1)
        np.add.at(self._seen[0], places[:, ~right], 1)

    def halve(self) -> None:
        """Halve counts of places that were met too often."""
        over = (self._seen > MAX_COUNT).any(axis=0)
        if over.any():
            self._seen[:, over] >>= 1


def walk(column: Modelled, places: Places, decide: Decide, counts: Counts | None = None) -> npt.NDArray[np.int32]:
    """(n,) symbols of the rows at these places, as `decide` says decision by decision; `counts` are none so far."""
    n, tree = places.first.shape[1], column.tree
    symbols = np.zeros(n, np.int32)
    if not tree.nodes:
        return symbols
    counts = Counts(column, places) if counts is None else counts
    for begin, end in blocks(n):
        rows, nodes, met = np.arange(begin, end), np.zeros(end - begin, np.int64), []
        while rows.size:
            at = places.first[:, rows] + nodes
            right = decide(rows, nodes, counts.chances(at))
            met.append((at, right))
            nodes = tree.children[right.astype(np.int64), nodes]
            leaf = nodes < 0
            symbols[rows[leaf]] = ~nodes[leaf]
            rows, nodes = rows[~leaf], nodes[~leaf]
        for at, right in met:
            counts.count(at, right)
        if end > MAX_COUNT - LONGEST_BLOCK:  # before that no count can be so large
            counts.halve()
    return symbols

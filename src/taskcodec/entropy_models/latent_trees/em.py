"""Expectation maximization for latent trees, batch by batch (Cappe and Moulines, "Online EM", 2009).

Up the tree go messages, what a part of it tells of the variable above; down it the posteriors of each variable and of
each pair of neighbours. Messages are normalised after every factor: products of many would leave what a float holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.forest import Forest

Floats = npt.NDArray[np.float32]
Slots = npt.NDArray[np.int32]
SLICE_ROWS = 250


@dataclass(frozen=True, eq=False)
class Tree:
    """The probabilities of a latent tree; K states a variable, V symbols a column.

    Attributes:
        forest: which variable depends on which.
        prior: (roots, K).
        transition: (m - roots, K, K) of each other variable: p(state | its parent's), parents in rows.
        emission: (c, V, K) p(symbol | state of the column's owner).
    """

    forest: Forest
    prior: Floats
    transition: Floats
    emission: Floats


@dataclass(frozen=True)
class Stepwise:
    """How batches are weighed.

    Attributes:
        passes: over the samples.
        batch: samples in one.
        power: batch t counts t^-power.
        floor: added to every count, of all samples.
        shared: samples' worth of a column's own distribution that is added to that of each of its states.
        seed: of the start and of the order of samples.
    """

    passes: int = 8
    batch: int = 2500
    power: float = 0.6
    floor: float = 0.03
    shared: float = 1.0
    seed: int = 0


@dataclass(eq=False)
class Counts:
    """What a batch says of each probability: sums of posteriors."""

    prior: Floats
    transition: Floats
    emission: Floats
    nats: float = field(default=0.0)

    def scaled(self, by: float) -> "Counts":
        """All of it times a number."""
        return Counts(self.prior * by, self.transition * by, self.emission * by, self.nats * by)

    def add(self, other: "Counts") -> None:
        """Add another's."""
        self.prior += other.prior
        self.transition += other.transition
        self.emission += other.emission
        self.nats += other.nats


def started(forest: Forest, slots: Slots, states: int, values: int, seed: int) -> Tree:
    """A start from (n, c) slots 0 to V - 1: states stand for quantiles of each column, with noise."""
    rng = np.random.default_rng(seed)
    m, roots = forest.latents, forest.levels[0].stop
    emission = np.empty((forest.columns, values, states), np.float32)
    edges = np.linspace(0, 1, states + 1)
    for column in range(forest.columns):
        share = np.bincount(slots[:, column], minlength=values) / len(slots)
        ends = np.cumsum(share)
        overlap = np.minimum(ends[:, None], edges[1:]) - np.maximum((ends - share)[:, None], edges[:-1])
        emission[column] = np.maximum(overlap, 0) * states + 0.1 * share[:, None] + 1e-4
    emission *= rng.uniform(0.5, 1.5, emission.shape).astype(np.float32)
    transition = (np.eye(states) * 2 + rng.uniform(0.05, 0.25, (m - roots, states, states))).astype(np.float32)
    return _normal(forest, np.ones((roots, states), np.float32), transition, emission)


def improve(tree: Tree, slots: Slots, how: Stepwise, told: Callable[[int, Tree, float], None]) -> Tree:
    """Fit a tree to (n, c) slots. `told` is called with (batches done, the tree so far, nats a sample of the batch)."""
    rng, n = np.random.default_rng(how.seed), len(slots)
    kept: Counts | None = None
    columns, values, _ = tree.emission.shape
    own = np.stack([np.bincount(slots[:, column], minlength=values) for column in range(columns)])
    shared = (how.shared / n * own[..., None] + how.floor).astype(np.float32)
    step = 0
    for _ in range(how.passes):
        order = rng.permutation(n)
        for start in range(0, n, how.batch):
            rows = order[start : start + how.batch]
            if kept is not None and len(rows) < how.batch // 2:
                continue
            found = expected(tree, slots[rows])
            nats = found.nats / len(rows)
            step += 1
            weight = 1.0 if kept is None else (step + 1.0) ** -how.power
            scaled = found.scaled(weight * n / len(rows))
            if kept is None:
                kept = scaled
            else:
                kept = kept.scaled(1 - weight)
                kept.add(scaled)
            floor = how.floor
            tree = _normal(tree.forest, kept.prior + floor, kept.transition + floor, kept.emission + shared)
            told(step, tree, nats)
    return tree


def expected(tree: Tree, slots: Slots) -> Counts:
    """The counts of (n, c) slots."""
    found = Counts(np.zeros_like(tree.prior), np.zeros_like(tree.transition), np.zeros_like(tree.emission))
    for start in range(0, len(slots), SLICE_ROWS):
        _add_counts(found, tree, np.ascontiguousarray(slots[start : start + SLICE_ROWS].T))
    return found


def nats_of(tree: Tree, slots: Slots) -> npt.NDArray[np.float64]:
    """(n, c) slots -> (n,) -log p of each sample."""
    parts = [
        -_up(tree, np.ascontiguousarray(slots[start : start + SLICE_ROWS].T))[2]
        for start in range(0, len(slots), SLICE_ROWS)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _up(tree: Tree, x: Slots) -> tuple[Floats, Floats, npt.NDArray[np.float64]]:
    """(c, n) slots -> what lies in and below each variable (m, n, K), messages to parents (m - roots, n, K), log p."""
    forest, (c, n), k = tree.forest, x.shape, tree.prior.shape[1]
    likelihood = tree.emission[np.arange(c)[:, None], x]
    total = np.zeros(n)
    inner = np.ones((forest.latents, n, k), np.float32)
    for columns, owners in forest.emitted:
        _merge(inner, owners, likelihood[columns], total)
    roots = forest.levels[0].stop
    messages = np.empty((forest.latents - roots, n, k), np.float32)
    for level, merged in zip(forest.levels[:0:-1], forest.merged[:0:-1], strict=True):
        own = slice(level.start - roots, level.stop - roots)
        np.matmul(inner[level], tree.transition[own].transpose(0, 2, 1), out=messages[own])
        for children, parents in merged:
            _merge(inner, parents, messages[children - roots], total)
    evidence = (inner[:roots] * tree.prior[:, None]).sum(axis=2)
    total += np.log(evidence).sum(axis=0)
    return inner, messages, total


def _merge(inner: Floats, places: npt.NDArray[np.intp], factor: Floats, total: npt.NDArray[np.float64]) -> None:
    """Multiply a factor onto some variables, of which no two are the same, and take the scale to the total."""
    product = inner[places] * factor
    scale = product.sum(axis=2, keepdims=True)
    inner[places] = product / scale
    total += np.log(scale[..., 0], dtype=np.float64).sum(axis=0)


def _add_counts(counts: Counts, tree: Tree, x: Slots) -> None:
    inner, messages, total = _up(tree, x)
    forest, roots = tree.forest, tree.forest.levels[0].stop
    c, values, k = tree.emission.shape
    posterior = np.empty_like(inner)
    root = inner[:roots] * tree.prior[:, None]
    posterior[:roots] = root / root.sum(axis=2, keepdims=True)
    counts.prior += posterior[:roots].sum(axis=1)
    for level in forest.levels[1:]:
        own = slice(level.start - roots, level.stop - roots)
        outer = posterior[forest.parents[level]] / messages[own]
        posterior[level] = inner[level] * (outer @ tree.transition[own])
        counts.transition[own] += tree.transition[own] * (outer.transpose(0, 2, 1) @ inner[level])
    index = (np.arange(c)[:, None] * values + x).ravel()
    of_column = posterior[forest.owners]
    for state in range(k):
        weights = of_column[..., state].ravel()
        counts.emission[..., state] += np.bincount(index, weights, c * values).reshape(c, values)
    counts.nats -= float(total.sum())


def _normal(forest: Forest, prior: Floats, transition: Floats, emission: Floats) -> Tree:
    return Tree(
        forest,
        (prior / prior.sum(axis=1, keepdims=True)).astype(np.float32),
        (transition / transition.sum(axis=2, keepdims=True)).astype(np.float32),
        (emission / emission.sum(axis=1, keepdims=True)).astype(np.float32),
    )

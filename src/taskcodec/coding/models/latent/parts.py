"""The three parts of a latent tree that bits-back needs: prior, likelihood and posterior.

All have z as (n, m) states, and x as (n, c) symbols. Tables lie in one bank: those of the r roots, then K for each
other variable, then K for each column.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.forest import Forest
from taskcodec.coding.models.latent.messages import Whole, inner_messages
from taskcodec.coding.models.latent.rows import Counts, counts_of, pop_counted, push_counted
from taskcodec.coding.models.runs import Chosen, bits_of, pop_runs, push_runs, slots_of
from taskcodec.coding.models.tables import ESCAPE_BITS, TABLE_BITS, TOTAL, Tables
from taskcodec.coding.symbol_model import Bits, Given, Symbols

SLICE_ROWS = 128
"""Rows whose messages are in memory at a time."""


@dataclass(frozen=True, eq=False)
class _OfTree:
    """What the parts share.

    Attributes:
        forest: which variable depends on which.
        states: K.
        bank: the tables.
    """

    forest: Forest
    states: int
    bank: Tables

    @property
    def roots(self) -> int:
        """r."""
        return int(self.forest.levels[0].stop)

    @property
    def emission_start(self) -> int:
        """Where the tables of columns begin."""
        return self.roots + (self.forest.latents - self.roots) * self.states

    def table_of(self, level: slice, z: Symbols) -> Chosen:
        """(variables of a level, n) the table of each, by (m, n) states of which those above are known."""
        own = np.arange(level.start, level.stop)[:, None]
        if level.start == 0:
            return np.broadcast_to(own, (level.stop, z.shape[1])).astype(np.uint16)
        above = z[self.forest.parents[level]]
        return (self.roots + (own - self.roots) * self.states + above).astype(np.uint16)

    def emitted_by(self, z: Symbols) -> Chosen:
        """(c, n) the table of each column by (m, n) states."""
        own = np.arange(self.forest.columns)[:, None] * self.states
        return (self.emission_start + own + z[self.forest.owners]).astype(np.uint16)


class TreePrior(_OfTree):
    """z, level by level from the roots, each variable by the table of its parent's state."""

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, m) states."""
        z = np.ascontiguousarray(symbols.T)
        for level in reversed(self.forest.levels):
            push_runs(coder, z[level], self.table_of(level, z), self.bank)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        z = np.empty((shape[1], shape[0]), np.int32)
        for level in self.forest.levels:
            # A damaged stream may hold an escape, which no state is.
            z[level] = np.clip(pop_runs(coder, self.table_of(level, z), self.bank), 0, self.states - 1)
        return np.ascontiguousarray(z.T)

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n,) bits of (n, m) states."""
        z = np.ascontiguousarray(symbols.T)
        return sum((_bits(self.bank, z[level], self.table_of(level, z)) for level in self.forest.levels), np.zeros(1))


class TreeLikelihood(_OfTree):
    """x, all columns at once, each by the table of its owner's state."""

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, c) symbols given (n, m) states."""
        (z,) = given
        push_runs(coder, np.ascontiguousarray(symbols.T), self.emitted_by(np.ascontiguousarray(z.T)), self.bank)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        (z,) = given
        return np.ascontiguousarray(pop_runs(coder, self.emitted_by(np.ascontiguousarray(z.T)), self.bank).T)

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n,) bits of (n, c) symbols given (n, m) states."""
        (z,) = given
        return _bits(self.bank, symbols.T, self.emitted_by(np.ascontiguousarray(z.T)))


class TreePosterior(_OfTree):
    """z given x, level by level from the roots, by counts that messages in integers give."""

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, m) states given (n, c) symbols."""
        (x,) = given
        for rows in reversed(_slices(len(x))):
            inner, z = self._inner(x[rows]), np.ascontiguousarray(symbols[rows].T)
            for level in reversed(self.forest.levels):
                push_counted(coder, z[level], self._counts(level, inner, z))

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        (x,) = given
        return self._descend(x, lambda counts: pop_counted(coder, counts))

    def best(self, given: Given) -> Symbols:
        """(n, m) the likeliest state of each variable, given that of its parent."""
        (x,) = given
        return self._descend(x, lambda counts: counts.argmax(axis=-1).astype(np.int32))

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n,) bits of (n, m) states given (n, c) symbols."""
        (x,) = given
        found = np.zeros(len(x))
        for rows in _slices(len(x)):
            inner, z = self._inner(x[rows]), np.ascontiguousarray(symbols[rows].T)
            for level in self.forest.levels:
                own = np.take_along_axis(self._counts(level, inner, z), z[level][..., None].astype(np.intp), -1)
                found[rows] += (TABLE_BITS - np.log2(own[..., 0])).sum(axis=0)
        return found

    def _descend(self, x: Symbols, choose: Callable[[Counts], Symbols]) -> Symbols:
        found = np.empty((len(x), self.forest.latents), np.int32)
        for rows in _slices(len(x)):
            inner, z = self._inner(x[rows]), np.empty((self.forest.latents, rows.stop - rows.start), np.int32)
            for level in self.forest.levels:
                z[level] = choose(self._counts(level, inner, z))
            found[rows] = z.T
        return found

    def _counts(self, level: slice, inner: Whole, z: Symbols) -> Counts:
        """(variables of a level, n, K) counts of their states, by those of their parents."""
        own = self._states_of[self.table_of(level, z)]
        return counts_of((own * inner[level]).astype(np.int64))

    @cached_property
    def _states_of(self) -> Whole:
        """(tables of variables, K) counts of states, the escape's left out."""
        k = self.states
        return self.bank.counts[: self.emission_start * (k + 1)].reshape(-1, k + 1)[:, :k].astype(np.float64)

    def _inner(self, x: Symbols) -> Whole:
        """(m, n, K) what each variable and those below it are told by (n, c) symbols."""
        k = self.states
        transition = self._states_of[self.roots :].reshape(-1, k, k)
        return inner_messages(self.forest, transition, _likelihood(self, x))


def evidence_bits(forest: Forest, states: int, bank: Tables, x: Symbols) -> Bits:
    """(n, c) symbols -> (n,) -log2 p(x), in floats: only for people and for fits."""
    tree, found = TreePosterior(forest, states, bank), np.zeros(len(x))
    roots = tree.roots
    prior = tree._states_of[:roots] / TOTAL
    transition = tree._states_of[roots:].reshape(-1, states, states) / TOTAL
    for rows in _slices(len(x)):
        likelihood = _likelihood(tree, x[rows]) / TOTAL
        inner = np.ones((forest.latents, likelihood.shape[1], states))
        for columns, owners in forest.emitted:
            found[rows] -= _merge(inner, owners, likelihood[columns])
        for level, merged in zip(forest.levels[:0:-1], forest.merged[:0:-1], strict=True):
            told = inner[level] @ transition[level.start - roots : level.stop - roots].transpose(0, 2, 1)
            for children, parents in merged:
                found[rows] -= _merge(inner, parents, told[children - level.start])
        found[rows] -= np.log2((inner[:roots] * prior[:, None]).sum(axis=2)).sum(axis=0)
        found[rows] += ESCAPE_BITS * _escaped(tree, x[rows]).sum(axis=0)
    return found


def _merge(inner: Whole, places: npt.NDArray[np.intp], factor: Whole) -> Bits:
    """Multiply a factor onto variables; (n,) bits that were taken out to keep them near 1."""
    product = inner[places] * factor
    scale = product.max(axis=2, keepdims=True)
    inner[places] = product / scale
    return np.asarray(np.log2(scale[..., 0]).sum(axis=0))


def _likelihood(tree: _OfTree, x: Symbols) -> Whole:
    """(c, n, K) counts of (n, c) symbols under each state of their owners; of what is escaped the escape's."""
    tables = tree.emission_start + np.arange(tree.forest.columns * tree.states).reshape(-1, 1, tree.states)
    slots = slots_of(x.T, tables[:, 0, :1].astype(np.uint16), tree.bank)
    return np.asarray(tree.bank.counts[tree.bank.starts[tables] + slots[..., None]], np.float64)


def _escaped(tree: _OfTree, x: Symbols) -> npt.NDArray[np.bool_]:
    """(c, n) whether a symbol lies outside its column's run."""
    first = tree.emission_start + np.arange(tree.forest.columns) * tree.states
    return np.asarray(slots_of(x.T, first[:, None].astype(np.uint16), tree.bank) == tree.bank.sizes[first][:, None])


def _bits(bank: Tables, symbols: Symbols, table: Chosen) -> Bits:
    """(columns, n) symbols by their tables -> (n,) bits."""
    return np.asarray(bits_of(symbols, table, bank).sum(axis=0))


def _slices(rows: int) -> list[slice]:
    return [slice(start, min(start + SLICE_ROWS, rows)) for start in range(0, rows, SLICE_ROWS)]

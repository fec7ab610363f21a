"""What a column of symbols is coded by: a tree of decisions in contexts, alone or for whole numbers; or plain bits."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.numbers import TOKENS, Foretold
from taskcodec.coding.models.mixing.trees import Tree, balanced_tree
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError

MAX_SIZE = 1 << 12
MAX_CONTEXTS = 16
MAX_PARENTS = 6
MAX_LEVELS = 1 << 12
MAX_EXPONENT = 30
MAX_CUTS = 255
CHANGED = 1
BUCKETS = 20
"""Ten by how often a context was met, once for contexts that saw both outcomes and once for those that did not."""
WEIGHT_BITS = 6
"""Weights are in units of 2**-WEIGHT_BITS."""
STRENGTH = 256
"""What shipped weights stand for: as many rows as that, at most."""


@dataclass(frozen=True)
class Parent:
    """An earlier column in a context.

    Attributes:
        column: which.
        levels: what its symbols are cut down to, neighbours of like weight together; 0 where they stay apart, and with
            CHANGED all that counts is whether a row's symbol is another than that of the row before.
    """

    column: int
    levels: int = 0


Context = tuple[Parent, ...]


@dataclass(frozen=True, eq=False)
class Modelled:
    """A column of symbols 0 ... size - 1, coded decision by decision.

    Attributes:
        exponents: (size,) the binary logarithms of how often each symbol is expected, or zeros where nothing is known.
        contexts: in each of them decisions are counted; () counts them over all rows.
        weights: (contexts, BUCKETS) by which log odds are added up, in units of 2**-WEIGHT_BITS.
        in_order: whether rows follow one another: coded is then each symbol less the one before, modulo size.
    """

    exponents: npt.NDArray[np.int64]
    contexts: tuple[Context, ...]
    weights: npt.NDArray[np.int64]
    in_order: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE or not 1 <= len(self.contexts) <= MAX_CONTEXTS:
            raise CorruptFileError("mixed contexts: a column has more symbols or contexts than any of ours, or none")
        if ((self.exponents < 0) | (self.exponents > MAX_EXPONENT)).any():
            raise CorruptFileError("mixed contexts: symbols are expected more often than any of ours")
        if self.weights.shape != (len(self.contexts), BUCKETS) or (abs(self.weights) >= 1 << 15).any():
            raise CorruptFileError("mixed contexts: weights that do not fit the contexts, or larger than any of ours")
        if any(len(context) > MAX_PARENTS for context in self.contexts):
            raise CorruptFileError("mixed contexts: a context of more columns than any of ours")

    @property
    def size(self) -> int:
        """How many symbols there are."""
        return len(self.exponents)

    @cached_property
    def expected(self) -> npt.NDArray[np.int64]:
        """(size,) how often each symbol is expected."""
        return np.asarray(np.int64(1) << self.exponents)

    @cached_property
    def tree(self) -> Tree:
        """The decisions."""
        return balanced_tree(self.expected)

    @cached_property
    def start(self) -> npt.NDArray[np.int64]:
        """(2, nodes) the counts that the context () begins with."""
        masses, total = self.tree.masses(self.expected), int(self.expected.sum())
        if not self.exponents.any():
            return np.zeros_like(masses)
        strength = min(STRENGTH, total)
        return np.asarray((2 * strength * masses + total) // (2 * total))

    def coded(self, symbols: Symbols) -> Symbols:
        """(n,) symbols of rows -> (n,) those that the tree leads to."""
        if not self.in_order:
            return symbols
        return np.diff(symbols, prepend=np.int32(0)).astype(np.int32) % np.int32(self.size)

    def uncoded(self, coded: Symbols) -> Symbols:
        """Invert `coded`."""
        return (np.cumsum(coded, dtype=np.int64) % self.size).astype(np.int32) if self.in_order else coded

    def levels(self, symbols: Symbols, wanted: int) -> npt.NDArray[np.int64]:
        """(n,) symbols -> their levels, of which there are to be `wanted`; 0 keeps all symbols apart."""
        if not wanted or wanted >= self.size:
            return symbols.astype(np.int64)
        if self.in_order:  # what is expected are steps
            return symbols.astype(np.int64) * wanted // self.size
        middle = 2 * np.cumsum(self.expected) - self.expected
        return np.asarray((middle * wanted // (2 * int(self.expected.sum())))[symbols])


@dataclass(frozen=True, eq=False)
class Numbers:
    """A column of whole numbers of 32 bits, of which the token of what remains is modelled.

    Attributes:
        foretold: what they are expected to be.
        tokens: how what remains is coded.
        cuts: rising numbers at which levels begin, where later columns depend on this one.
        gate: an earlier column, which is 0 in rows that have a number here; in others it is 0. None where all have one.
    """

    foretold: Foretold
    tokens: Modelled
    cuts: npt.NDArray[np.int64]
    gate: int | None = None

    def __post_init__(self) -> None:
        rising = len(self.cuts) <= MAX_CUTS and bool((np.diff(self.cuts) > 0).all())
        if self.tokens.size != TOKENS or self.tokens.in_order or not rising:
            raise CorruptFileError("mixed contexts: tokens or cuts of numbers that none of ours have")

    @property
    def size(self) -> int:
        """How many levels there are."""
        return len(self.cuts) + 1

    def levels(self, symbols: Symbols, wanted: int) -> npt.NDArray[np.int64]:
        """(n,) numbers -> their levels, of which there are to be `wanted`, all where it is 0."""
        found = np.searchsorted(self.cuts, symbols, side="right")
        return found * wanted // self.size if 0 < wanted < self.size else found

    def present(self, rows: Symbols) -> npt.NDArray[np.int64]:
        """Which of (n, columns) rows have a number."""
        return np.arange(len(rows)) if self.gate is None else np.flatnonzero(rows[:, self.gate] == 0)


@dataclass(frozen=True, eq=False)
class Raw:
    """A column of numbers of no known law: as many bits as the symbol of an earlier column says.

    Attributes:
        gate: the earlier column.
        widths: (its size,) bits of the number beside each of its symbols, 0 to 32; with 0 bits the number is 0.
    """

    gate: int
    widths: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if ((self.widths < 0) | (self.widths > 32)).any():
            raise CorruptFileError("mixed contexts: numbers of more than 32 bits")


Column = Modelled | Numbers | Raw


def check_columns(columns: tuple[Column, ...]) -> None:
    """Raise CorruptFileError unless columns refer to earlier ones, and raw ones have their widths."""
    for place, column in enumerate(columns):
        gate = None if isinstance(column, Modelled) else column.gate
        law = column.tokens if isinstance(column, Numbers) else column
        used = set() if gate is None else {gate}
        if isinstance(law, Modelled):
            parents = [parent for context in law.contexts for parent in context]
            used |= {parent.column for parent in parents}
            if any(not 0 <= parent.levels <= MAX_LEVELS for parent in parents):
                raise CorruptFileError("mixed contexts: more levels than any of ours")
        if isinstance(column, Numbers):
            used |= {term for term, _ in column.foretold.terms}
        if any(not 0 <= each < place or isinstance(columns[each], Raw) for each in used):
            raise CorruptFileError("mixed contexts: a column depends on one that is not decoded before it")
        of = None if gate is None else columns[gate]
        if of is not None and not isinstance(of, Modelled):
            raise CorruptFileError("mixed contexts: a column whose presence depends on numbers")
        if isinstance(column, Raw) and isinstance(of, Modelled) and len(column.widths) != of.size:
            raise CorruptFileError("mixed contexts: widths that do not fit the column which they depend on")

"""Tables for a picture whose bytes bring a network of their own: its weights choose the tables of its latents.

    head, changes of the weights --> weights;    latents, the coarsest first, pass by pass --by `context`--> tables

Symbols of a picture are one long column: `plan` says what is where. A codec holds the tables, and the weights that a
picture's own are changes of.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import Cursor, Integers
from taskcodec.coding.models.overfitted.context import PHASES, WEIGHT_BITS, Context
from taskcodec.coding.models.overfitted.plan import HEAD, KINDS, MAX_SYMBOLS, Plan, Size
from taskcodec.coding.models.runs import Chosen, bits_of, pop_runs, push_runs, slots_of
from taskcodec.coding.models.spatial.choice import choose
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers, unzigzag, zigzag
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, checked_symbols
from taskcodec.errors import CorruptFileError, MismatchError

MAGIC = b"OVER"
MAX_WEIGHT = 1 << 24
"""Weights are below 4096: beyond, none of ours is."""
MAX_LEVELS = 64
"""Numbers of the head are below it, and so are indices of scales."""


@dataclass(frozen=True, eq=False)
class Told:
    """What the symbols of a picture say.

    Attributes:
        weights: by the names of `Plan.parts`, int64 multiples of 2**-WEIGHT_BITS.
        latents: (h, w) int32 each, the finest first.
    """

    weights: Mapping[str, Integers]
    latents: list[Symbols]


@dataclass(frozen=True, eq=False)
class OverfittedTables(SymbolModel):
    """See the module.

    Attributes:
        bank: the head's table, then PHASES tables for each of `scales` scales.
        plan: sizes of the network.
        start: (weights,) int64, what a picture's weights are changes of.
        scales: how many there are.
        size: (H, W) of the picture that is coded, see `for_size`.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "overfitted"

    bank: Tables
    plan: Plan
    start: Integers
    scales: int
    size: Size | None = None
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.scales <= MAX_LEVELS or self.bank.columns != 1 + self.scales * PHASES:
            raise CorruptFileError("overfitted tables: the bank does not hold what may be chosen")
        if self.start.shape != (self.plan.weights,) or self.start.dtype != np.int64:
            raise CorruptFileError("overfitted tables: the weights to start from are not those of its network")
        self._checked_weights(self.start)

    @property
    def columns(self) -> int:
        """All symbols of a picture are one column."""
        return 1

    @property
    def choices(self) -> Tables:
        """The bank."""
        return self.bank

    def for_size(self, size: Size) -> Self:
        """The same tables for a picture of this size."""
        return replace(self, size=size)

    def told(self, symbols: Symbols) -> Told:
        """(symbols,) of a picture -> what they say. Raises CorruptFileError where its weights are none of ours."""
        latents, at = list[Symbols](), HEAD + self.plan.weights
        weights = self._weights(symbols[:HEAD], symbols[HEAD:at])
        for h, w in reversed(self.plan.extents(self._size)):
            latents.append(symbols[at : at + h * w].reshape(h, w))
            at += h * w
        return Told(weights, latents[::-1])

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (1, 1, symbols, 1) onto an ANS coder; they are popped in their order, but pass by pass."""
        for residual, table in reversed(list(self._runs(self._column(symbols)))):
            push_runs(coder, residual, table, self.bank)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of the shape (1, 1, symbols, 1). Raises MismatchError where that is no such shape."""
        found = np.zeros(self._count(shape), np.int32)
        own = HEAD + self.plan.weights
        found[:HEAD] = pop_runs(coder, np.zeros(HEAD, np.uint16), self.bank)
        for part, table in self._weight_tables(found[:HEAD]):
            found[HEAD:own][part] = pop_runs(coder, table, self.bank)
        told = self.told(found)
        for latent, (top, left), out in self._passes(told):
            choice = choose(out, 1, self.scales, PHASES)
            places = latent[top::2, left::2]
            places[...] = choice.symbols(pop_runs(coder, choice.table, self.bank)).reshape(places.shape)
        return found.reshape(shape)

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(1, 1, symbols, 1) -> bits of an ideal coder for each, pass by pass: the sum is what counts."""
        s = checked_symbols(symbols, 1, space=True)
        found = [bits_of(residual, table, self.bank).ravel() for residual, table in self._runs(self._column(s))]
        return np.concatenate(found).reshape(s.shape)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(1, 1, symbols, 1) -> (1,) bits of an ideal coder, escapes included."""
        return np.asarray(self.costs(symbols).sum(axis=(1, 2, 3)))

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(1, 1, symbols, 1) -> how often each slot of the bank was used, aligned with its `counts`."""
        found = np.zeros(len(self.bank.counts), np.int64)
        for residual, table in self._runs(self._column(checked_symbols(symbols, 1, space=True))):
            slots = slots_of(residual, table, self.bank) + self.bank.starts[table]
            found += np.bincount(slots.ravel(), minlength=found.size)
        return found

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        plan = self.plan
        head = [plan.levels, plan.width, plan.context, plan.outputs, plan.finest, self.scales]
        packed = pack_numbers(np.concatenate([head, zigzag(self.start)]).astype(np.uint64))
        return framed(MAGIC, packed) + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "OverfittedTables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, bank = unframed(data, MAGIC, "overfitted tables")
        numbers = Cursor(unpack_numbers(head, "overfitted tables"))
        levels, width, context, outputs, finest, scales = numbers.take(6).tolist()
        plan = Plan(levels, width, context, outputs, finest)
        start = unzigzag(numbers.take(plan.weights))
        numbers.finish()
        found = cls(Tables.from_bytes(bank), plan, start, scales)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "OverfittedTables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

    @property
    def _size(self) -> Size:
        if self.size is None:
            raise MismatchError("tables of overfitted pictures code one of a known size alone")
        return self.size

    def _count(self, shape: Sequence[int]) -> int:
        """Raises MismatchError where a shape is not that of this picture's symbols, or larger than any of ours."""
        count = self.plan.symbols(self._size)
        if tuple(shape) != (1, 1, count, 1):
            raise MismatchError(f"symbols of shape {tuple(shape)}, of this picture they are (1, 1, {count}, 1)")
        if count > MAX_SYMBOLS:
            raise MismatchError(f"a picture of {count} symbols is larger than any of ours")
        return count

    def _column(self, symbols: Symbols) -> Symbols:
        return symbols.reshape(self._count(symbols.shape))

    def _runs(self, symbols: Symbols) -> Iterator[tuple[Symbols, Chosen]]:
        """What tables code of a picture's (symbols,), and by which, in the order of decoding."""
        yield symbols[:HEAD], np.zeros(HEAD, np.uint16)
        changes = symbols[HEAD : HEAD + self.plan.weights]
        for part, table in self._weight_tables(symbols[:HEAD]):
            yield changes[part], table
        for latent, (top, left), out in self._passes(self.told(symbols)):
            choice = choose(out, 1, self.scales, PHASES)
            yield choice.residual(latent[top::2, left::2].reshape(-1, 1)), choice.table

    def _passes(self, told: Told) -> Iterator[tuple[Symbols, Size, Integers]]:
        """Of each pass the latent, where it begins, and what is said of its places."""
        context = Context(self.plan, told.weights)
        for level in reversed(range(self.plan.levels)):
            latent = told.latents[level]
            coarser = told.latents[level + 1] if level + 1 < self.plan.levels else None
            for start, out in context.passes(level, latent, coarser):
                yield latent, start, out

    def _weight_tables(self, head: Symbols) -> Iterator[tuple[slice, Chosen]]:
        """Where the changes of each kind of weight lie, and their tables. Raises CorruptFileError."""
        for part, scale in zip(self.plan.kinds, head[len(KINDS) :].tolist(), strict=True):
            if not 0 <= scale < self.scales:
                raise CorruptFileError("a picture whose weights have a scale that none of ours has")
            yield part, np.full(part.stop - part.start, 1 + scale * PHASES, np.uint16)

    def _weights(self, head: Symbols, changes: Symbols) -> dict[str, Integers]:
        fine = head[: len(KINDS)].astype(np.int64)
        if (fine < 0).any() or (fine > WEIGHT_BITS).any():
            raise CorruptFileError("a picture whose weights are finer than any of ours")
        found = self.start.copy()
        for part, own in zip(self.plan.kinds, fine.tolist(), strict=True):
            found[part] += changes[part].astype(np.int64) << (WEIGHT_BITS - own)
        self._checked_weights(found)
        return {part.name: found[at].reshape(part.shape) for part, at in self.plan.named()}

    def _checked_weights(self, weights: Integers) -> None:
        if (np.abs(weights) > MAX_WEIGHT).any():
            raise CorruptFileError("overfitted tables: weights larger than any of ours")

"""Tables for latents with places: side information, groups of channels and neighbours choose each symbol's table.

    y --side--> z        the encoder's affair; z is coded first, a table for each of its channels
    z --hyper--> features;    symbols of layers below --below--> features
    features, groups of channels before, anchors among the neighbours --group--> index (scale), mean
    index, mean --choice--> table, what is coded with it <-> symbol

A hyperprior (Balle et al., ICLR 2018; Minnen et al., NeurIPS 2018) with the context of `group`. All that chooses a
table is an integer convolution: nothing here uses floats that round. Each picture of a batch is coded as if alone, but
for the order of the symbols: pass by pass, in a pass table by table, for all pictures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import MAX_INPUT, Cursor
from taskcodec.coding.models.runs import Chosen, bits_of, pop_runs, push_runs, slots_of
from taskcodec.coding.models.spatial.choice import Choice, choose
from taskcodec.coding.models.spatial.convolution import Stack, Values
from taskcodec.coding.models.spatial.group import Places, SpatialGroup
from taskcodec.coding.models.tables import MAX_COLUMNS, Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, checked_symbols
from taskcodec.errors import CorruptFileError, MismatchError

MAGIC = b"SPAT"
"""The bytes of spatial tables begin with it; those of other tables cannot."""
MAX_BANK = 1 << 16
MAX_GROUPS = 64
MAX_PHASES = 256
MAX_HALVINGS = 4
MAX_VALUES = 1 << 28
"""Places times the widest network: beyond, no picture of ours is."""


@dataclass(frozen=True, eq=False)
class SpatialTables(SymbolModel):
    """See the module.

    Attributes:
        bank: first a table for each channel of z, then levels * phases tables.
        side: computes z from all symbols of the latent, at every 2**halvings-th place of every 2**halvings-th row.
        hyper: gives features at each place of the latent.
        groups: in the order of the channels, at least one.
        levels: indices are clipped to 0 ... levels - 1.
        phases: tables of a scale, see `choice`.
        below: features of the symbols of layers below; None where they are not looked at.
        sent: see `sending`.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "spatial"

    bank: Tables
    side: Stack
    hyper: Stack
    groups: tuple[SpatialGroup, ...]
    levels: int
    phases: int
    below: Stack | None = None
    sent: Symbols | None = None
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not (1 <= len(self.groups) <= MAX_GROUPS and 1 <= self.phases <= MAX_PHASES):
            raise CorruptFileError("spatial tables: groups or phases that none of ours has")
        if not 1 <= self.levels <= MAX_BANK or self.side.outputs + self.tables != self.bank.columns <= MAX_BANK:
            raise CorruptFileError("spatial tables: the bank does not hold what may be chosen")
        if self.side.inputs != self.columns or self.hyper.inputs != self.side.outputs or self.columns > MAX_COLUMNS:
            raise CorruptFileError("spatial tables: the networks of the side information do not fit")
        halvings = self.halvings
        doublings = sum(layer.grow == 2 for layer in self.hyper.layers)
        odd = [layer.grow != 1 for layer in self.side.layers] + [layer.stride != 1 for layer in self.hyper.layers]
        below = [] if self.below is None else [layer.grow * layer.stride != 1 for layer in self.below.layers]
        if self.below is not None and not self.below.inputs:
            raise CorruptFileError("spatial tables: a network of layers below that reads none")
        if halvings != doublings or halvings > MAX_HALVINGS or any(odd + below):
            raise CorruptFileError("spatial tables: networks that do not come back to the places of the latent")
        features = self.hyper.outputs + (0 if self.below is None else self.below.outputs)
        reach, before = max(self.hyper.cap, 0 if self.below is None else self.below.cap), 0
        for group in self.groups:
            group.check(features, reach, before)
            if group.means != self.groups[0].means or (self.phases > 1 and not group.means):
                raise CorruptFileError("spatial tables: phases without means, or means of some groups only")
            before += group.columns

    @cached_property
    def columns(self) -> int:
        """c; side information is its own affair."""
        return sum(group.columns for group in self.groups)

    @property
    def given_columns(self) -> int:
        """Channels of the layers below that it looks at."""
        return 0 if self.below is None else self.below.inputs

    @property
    def halvings(self) -> int:
        """Side information has a place for 2**halvings of the latent, along either side."""
        return sum(layer.stride == 2 for layer in self.side.layers)

    def sending(self, side: Symbols) -> "SpatialTables":
        """The same tables for one batch: with this side information (n, h', w', channels of z), not with its own.

        What is sent decodes whatever it is; an encoder may search for what costs less.
        """
        return replace(self, sent=side)

    @property
    def choices(self) -> Tables:
        """The bank."""
        return self.bank

    @property
    def tables(self) -> int:
        """How many tables of the bank the latent's symbols may be coded with."""
        return self.levels * self.phases

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, c, h, w) symbols and their side information onto an ANS coder.

        They are popped in the order: side information, then pass by pass; in each `runs.push_runs` says in which.
        """
        z, passes = self._residuals(checked_symbols(symbols, self.columns, space=True), given)
        for _, _, table, residual in reversed(list(passes)):
            push_runs(coder, residual, table, self.bank)
        push_runs(coder, z, self._own(z), self.bank)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of a shape (n, c, h, w). Raises MismatchError where it is no such shape."""
        n, h, w = self._checked(shape)
        side = self._sizes(h, w)[-1]
        z = pop_runs(coder, self._own(np.empty((n, *side, self.side.outputs), np.int32)), self.bank)
        y = np.zeros((n, h * w, self.columns), np.int32)
        for columns, places, choice in self._passes(y.reshape(n, h, w, self.columns), z, given):
            y[:, places, columns] = choice.symbols(pop_runs(coder, choice.table, self.bank))
        return np.ascontiguousarray(np.moveaxis(y.reshape(n, h, w, self.columns), 3, 1))

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, c, h, w) symbols -> bits of an ideal coder for each, escapes included, side information's left out."""
        s = checked_symbols(symbols, self.columns, space=True)
        _, passes = self._residuals(s, given)
        n, c, h, w = s.shape
        found = np.empty((n, h * w, c))
        for columns, places, table, residual in passes:
            found[:, places, columns] = bits_of(residual, table, self.bank)
        return np.moveaxis(found.reshape(n, h, w, c), 3, 1)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, c, h, w) symbols -> (n,) bits of an ideal coder, escapes and side information included."""
        return np.asarray(self.costs(symbols, given).sum(axis=(1, 2, 3)) + self.side_bits(symbols))

    def side_bits(self, symbols: npt.ArrayLike) -> Bits:
        """(n, c, h, w) symbols -> (n,) bits of their side information."""
        z = self.side_of(checked_symbols(symbols, self.columns, space=True))
        return np.asarray(bits_of(z, self._own(z), self.bank).sum(axis=(1, 2, 3)))

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, c, h, w) symbols -> how often each slot of the bank was used, aligned with its `counts`; z's too."""
        z, passes = self._residuals(checked_symbols(symbols, self.columns, space=True), given)
        found = np.zeros(len(self.bank.counts), np.int64)
        for table, residual in [(self._own(z), z), *((table, residual) for _, _, table, residual in passes)]:
            slots = slots_of(residual, table, self.bank) + self.bank.starts[table]
            found += np.bincount(slots.ravel(), minlength=found.size)
        return found

    def side_of(self, symbols: Symbols) -> Symbols:
        """(n, c, h, w) symbols -> (n, h', w', channels of z) side information."""
        n, h, w = self._checked(symbols.shape)
        if self.sent is not None:
            if self.sent.shape != (n, *self._sizes(h, w)[-1], self.side.outputs):
                raise MismatchError(f"side information of shape {self.sent.shape} for a latent of {h} x {w} places")
            return self.sent
        return np.clip(self.side(np.moveaxis(symbols, 1, 3)), -MAX_INPUT, MAX_INPUT).astype(np.int32)

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        head = np.array([len(self.groups), self.levels, self.phases, int(self.below is not None)], np.int64)
        below = [] if self.below is None else [self.below.numbers()]
        parts = [head, self.side.numbers(), self.hyper.numbers(), *below, *(group.numbers() for group in self.groups)]
        packed = pack_numbers(np.concatenate(parts).astype(np.uint64))
        return framed(MAGIC, packed) + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "SpatialTables":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, bank = unframed(data, MAGIC, "spatial tables")
        numbers = Cursor(unpack_numbers(head, "spatial tables"))
        count, levels, phases, below = numbers.take(4).tolist()
        if count > MAX_GROUPS or levels > MAX_BANK or phases > MAX_PHASES or below > 1:
            raise CorruptFileError("spatial tables: damaged")
        side, hyper = Stack.read(numbers), Stack.read(numbers)
        under = Stack.read(numbers) if below else None
        groups = tuple(SpatialGroup.read(numbers) for _ in range(count))
        numbers.finish()
        found = cls(Tables.from_bytes(bank), side, hyper, groups, levels, phases, under)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "SpatialTables":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

    def _own(self, z: Symbols) -> Chosen:
        """(n, h, w, channels) side information -> the tables of its channels."""
        return np.broadcast_to(np.arange(self.side.outputs, dtype=np.uint16), z.shape)

    def _residuals(
        self, symbols: Symbols, given: Given
    ) -> tuple[Symbols, Iterator[tuple[slice, Places, Chosen, Symbols]]]:
        """Side information, and for each pass its channels, its places, their tables and what these code."""
        z = self.side_of(symbols)
        y = np.ascontiguousarray(np.moveaxis(symbols, 1, 3))
        flat = y.reshape(len(y), y.shape[1] * y.shape[2], self.columns)
        passes = self._passes(y, z, given)
        return z, ((c, p, choice.table, choice.residual(flat[:, p, c])) for c, p, choice in passes)

    def _passes(self, y: Symbols, z: Symbols, given: Given) -> Iterator[tuple[slice, Places, Choice]]:
        """For each pass its channels, its places, and how these are coded.

        (n, h, w, c) symbols y are read as far as passes before have decoded them: a decoder fills them in between.
        """
        features, start = self._features(y.shape, z, given), 0
        phases = self.phases if self.groups[0].means else None
        for group in self.groups:
            columns = slice(start, start + group.columns)
            for places, out in group.passes(features, y[..., :start], y[..., columns]):
                yield columns, places, choose(out, self.side.outputs, self.levels, phases)
            start += group.columns

    def _features(self, shape: Sequence[int], z: Symbols, given: Given) -> Values:
        n, h, w, _ = shape
        found = self.hyper.features(z, self._sizes(h, w)[-2::-1])
        if self.below is None:
            return found
        rows = [np.moveaxis(below, 1, -1) for below in given]
        if sum(below.shape[-1] for below in rows) != self.given_columns:
            raise MismatchError(
                f"tables that follow from {self.given_columns} symbols of layers below,"
                f" {sum(below.shape[-1] for below in rows)} given"
            )
        if any(below.shape[:-1] != (n, h, w) for below in rows):
            raise MismatchError("symbols of layers below that are not at the places of this latent")
        return np.concatenate([found, self.below.features(np.concatenate(rows, axis=3))], axis=3)

    def _sizes(self, h: int, w: int) -> list[tuple[int, int]]:
        """(h, w) of the latent, of every second place, and so on to those of z."""
        return [(-(-h // 2**i), -(-w // 2**i)) for i in range(self.halvings + 1)]

    def _checked(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """(n, h, w) of a shape. Raises MismatchError where it is none of this model's, or larger than any of ours."""
        if len(shape) != 4 or shape[1] != self.columns or min(shape[2:]) < 1:
            raise MismatchError(f"a latent of shape {tuple(shape)}, the tables are for (n, {self.columns}, h, w)")
        n, _, h, w = (int(extent) for extent in shape)
        if n * h * w * self._widest > MAX_VALUES:
            raise MismatchError(f"a latent of {h} x {w} places, {n} times, is larger than any of ours")
        return n, h, w

    @cached_property
    def _widest(self) -> int:
        stacks = [self.side, self.hyper, *([] if self.below is None else [self.below])]
        stacks += [group.before for group in self.groups if group.before is not None]
        return max([stack.widest for stack in stacks] + [group.widest for group in self.groups] + [self.columns])

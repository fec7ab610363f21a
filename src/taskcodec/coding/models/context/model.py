"""Pictures number by number: an integer network reads what came before, and weighs fixed distributions.

    neighbours (n, inputs) --network--> logits (n, B) --powers--> weights;   counts of a byte = weights @ tables

All in whole numbers: the network's (`taskcodec.coding.models.integer_network`), and the mixture's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.context.neighbours import Bytes, Neighbours
from taskcodec.coding.models.integer_network import Cursor, IntegerNetwork
from taskcodec.coding.models.mixture import VALUES, Mixture, Whole
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols, checked_symbols
from taskcodec.errors import CorruptFileError, UsageError

MAGIC = b"CTXT"
"""The bytes of a model of contexts begin with it; those of other kinds cannot."""


@dataclass(frozen=True, eq=False)
class ContextModel(SymbolModel):
    """See the module. Symbols are bytes.

    Attributes:
        near: what foretells a number.
        network: gives B logits; a weight is powers[largest logit - logit].
        powers: of 0, 1, 2, ... steps below the largest, falling, from MAX_POWER at most; what lies beyond has the last.
        tables: (B, 256) counts, each row of a sum of 2**16; the first has no zeros, and always some weight.
        read_from: the bytes that it was read from, where it was.
    """

    kind = "context"

    near: Neighbours
    network: IntegerNetwork
    powers: Whole
    tables: Whole
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        network, tables = self.network, self.tables
        self._mixture.check("context model")
        if (network.inputs, network.outputs) != (self.near.inputs, len(tables)):
            raise CorruptFileError("context model: its network does not fit its neighbours and tables")

    @property
    def columns(self) -> int:
        """Numbers of a picture."""
        return self.near.columns

    @property
    def choices(self) -> Tables:
        """None: each number has counts of its own."""
        none = np.empty(0, np.int32)
        return Tables(none, none, np.empty(0, np.uint32))

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, columns) bytes so that they are popped number by number, of each the rows from first to last.

        Raises UsageError on symbols that are no bytes.
        """
        if not len(symbols):
            return
        padded = self._padded(symbols)
        for place in range(self.columns - 1, -1, -1):
            self._mixture.push(coder, symbols[:, place], self._logits(padded, place))

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        found = np.zeros((shape[0], self.columns), np.int32)
        if not len(found):
            return found
        padded = np.zeros((len(found), *self.near.padded_shape), np.uint8)
        r, (_, w, c) = self.near.reach, self.near.shape
        for place in range(self.columns):
            found[:, place] = self._mixture.pop(coder, self._logits(padded, place))
            y, x, channel = place // (w * c), place // c % w, place % c
            padded[:, y + r, x + r, channel] = found[:, place]
        return found

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns) bytes -> bits of an ideal coder for each."""
        s = checked_symbols(symbols, self.columns)
        padded, found = self._padded(s), np.empty(s.shape)
        for place in range(self.columns if len(s) else 0):
            found[:, place] = self._mixture.costs(s[:, place], self._logits(padded, place))
        return found

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns) bytes -> (n,) bits of an ideal coder."""
        return np.asarray(self.costs(symbols).sum(axis=1))

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """No tables are chosen among. Raises UsageError."""
        raise UsageError("a model of contexts mixes its tables: none of them codes a symbol alone")

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        head = np.array([*self.near.shape, self.near.reach, self.powers.size, len(self.tables)])
        parts = [head, self.powers, self.tables.ravel(), self.network.numbers()]
        return framed(MAGIC, pack_numbers(np.concatenate(parts).astype(np.uint64)))

    @classmethod
    def from_bytes(cls, data: bytes) -> "ContextModel":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, rest = unframed(data, MAGIC, "context model")
        if rest:
            raise CorruptFileError("context model: bytes behind its end")
        numbers = Cursor(unpack_numbers(head, "context model"))
        h, w, c, reach, steps, count = numbers.take(6).tolist()
        powers, tables = numbers.take(steps), numbers.take(count * VALUES).reshape(-1, VALUES)
        network = IntegerNetwork.read(numbers)
        numbers.finish()
        found = cls(Neighbours((h, w, c), reach), network, powers, tables)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "ContextModel":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

    def _padded(self, symbols: Symbols) -> Bytes:
        if ((symbols < 0) | (symbols >= VALUES)).any():
            raise UsageError("a model of contexts codes bytes: symbols from 0 to 255")
        return self.near.padded(symbols.astype(np.uint8).reshape(-1, *self.near.shape))

    def _logits(self, padded: Bytes, place: int) -> Whole:
        """(n, B) what the network says of a place."""
        return self.network(self.near.of(padded, np.array([place])))

    @cached_property
    def _mixture(self) -> Mixture:
        return Mixture(self.powers, self.tables)

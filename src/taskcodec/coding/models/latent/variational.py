"""Variational autoencoders of small pictures, in integers: coded by bits-back, level by level.

    x --q--> z_1 --q--> z_2 ... z_L       by these latents are drawn
    x <--p-- z_1 <--p-- z_2 ... z_L       by these all is coded, the last by a prior of its own

Kingma and Welling, "Auto-encoding variational Bayes" (ICLR 2014); coded as `bits_back` does, with more levels than one
as "Bit-Swap" does (Kingma, Abbeel, Ho, ICML 2019). `convolved` has the parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import Cursor, Integers
from taskcodec.coding.models.latent.bits_back import MOST_GROWTH, BitsBack, Part, push_chain
from taskcodec.coding.models.latent.convolved import Always, ByStack, Gaussians, MixedBytes, Size
from taskcodec.coding.models.latent.model import LatentModel
from taskcodec.coding.models.mixture import VALUES, Mixture
from taskcodec.coding.models.spatial.convolution import Stack
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers, unzigzag, zigzag
from taskcodec.coding.symbol_model import Bits, Given, Symbols, checked_symbols
from taskcodec.errors import CorruptFileError, UsageError

MAGIC = b"VAES"
"""The bytes of variational autoencoders begin with it; those of other kinds cannot."""
MAX_BANK = 1 << 16
MAX_LEVELS = 16
MAX_HALVINGS = 8
MAX_NUMBERS = 1 << 16
"""Of a picture."""
MAX_VALUES = 1 << 22
"""Places of a picture times the widest network."""


@dataclass(frozen=True, eq=False)
class Level:
    """Latents, and how they and what lies below follow from each other.

    Attributes:
        posterior: from symbols below to indices and means of these latents; halves places.
        generator: from these latents to what is told of symbols below; doubles places as often.
    """

    posterior: Stack
    generator: Stack

    @property
    def channels(self) -> int:
        """Latents of a place."""
        return self.generator.inputs

    @property
    def halvings(self) -> int:
        """How often places are halved."""
        return sum(layer.stride == 2 for layer in self.posterior.layers)

    def check(self, below: int, told: int) -> None:
        """Raise CorruptFileError unless it fits so many channels below, and what has to be told of them."""
        up, down = self.posterior, self.generator
        if (up.inputs, up.outputs, down.outputs) != (below, 2 * self.channels, told) or not self.channels:
            raise CorruptFileError("variational autoencoder: a level that does not fit what lies below it")
        odd = [layer.grow != 1 for layer in up.layers] + [layer.stride != 1 for layer in down.layers]
        doublings = sum(layer.grow == 2 for layer in down.layers)
        if any(odd) or doublings != self.halvings or doublings > MAX_HALVINGS:
            raise CorruptFileError("variational autoencoder: a level that does not come back to the places below it")


@dataclass(frozen=True, eq=False)
class VariationalAutoencoder(LatentModel):
    """See the module. Symbols are bytes.

    Attributes:
        shape: (H, W, C) of the pictures.
        levels: the lowest first.
        mixture: of which bytes are coded.
        bank: tables of latents, one for each scale.
        top: (places, outputs) the indices and means of the topmost latents.
        growth: see `BitsBack`.
        read_from: the bytes that it was read from, where it was.
    """

    kind = "variational"

    shape: tuple[int, int, int]
    levels: tuple[Level, ...]
    mixture: Mixture
    bank: Tables
    top: Integers
    growth: int = MOST_GROWTH
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        levels, bank = self.levels, self.bank
        self.mixture.check("variational autoencoder")
        if not 1 <= len(levels) <= MAX_LEVELS or not 1 <= self.growth <= MOST_GROWTH or min(self.shape) < 1:
            raise CorruptFileError("variational autoencoder: levels, a growth or a shape that none of ours has")
        if not 1 <= bank.columns <= MAX_BANK:
            raise CorruptFileError("variational autoencoder: no tables, or more than any of ours has")
        below, told = self.shape[2], self.shape[2] * len(self.mixture.tables)
        for level in levels:
            level.check(below, told)
            below, told = level.channels, 2 * level.channels
        if self.top.shape != (int(np.prod(self._sizes[-1])), told):
            raise CorruptFileError("variational autoencoder: a prior that does not fit its topmost latents")
        widest = max(stack.widest for level in levels for stack in (level.posterior, level.generator))
        if self.columns > MAX_NUMBERS or int(np.prod(self.shape[:2])) * widest > MAX_VALUES:
            raise CorruptFileError("variational autoencoder: larger than any of ours")

    @property
    def columns(self) -> int:
        """Numbers of a picture."""
        return int(np.prod(self.shape))

    @property
    def choices(self) -> Tables:
        """None: each number has counts of its own."""
        none = np.empty(0, np.int32)
        return Tables(none, none, np.empty(0, np.uint32))

    @cached_property
    def bits_back(self) -> BitsBack:
        """What codes a row: of the topmost level first, then of one after the other below, whose prior that is."""
        found: Part = self._gaussians(Always(self.top))
        for number in range(len(self.levels) - 1, -1, -1):
            found = self._of_level(number, found)
        assert isinstance(found, BitsBack)
        return found

    def _of_level(self, number: int, prior: Part) -> BitsBack:
        level, sizes = self.levels[number], self._sizes
        start = sum(below.halvings for below in self.levels[:number])
        stop = start + level.halvings
        generated = ByStack(level.generator, sizes[stop], tuple(sizes[start:stop][::-1]))
        likelihood = self._gaussians(generated) if number else MixedBytes(generated, self.mixture)
        posterior = self._gaussians(ByStack(level.posterior, sizes[start]), closed=True)
        return BitsBack(prior, likelihood, posterior, int(np.prod(sizes[stop])) * level.channels, self.growth)

    def _gaussians(self, told: ByStack | Always, closed: bool = False) -> Gaussians:
        return Gaussians(told, self.bank, closed)

    @cached_property
    def _sizes(self) -> list[Size]:
        """(h, w) of the picture, of every second place, and so on to the topmost latents."""
        halvings = sum(level.halvings for level in self.levels)
        return [(-(-self.shape[0] // 2**i), -(-self.shape[1] // 2**i)) for i in range(halvings + 1)]

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, columns) bytes onto an ANS coder, chained: see `push_chain`. Raises UsageError on others."""
        push_chain(coder, _bytes(symbols), self.bits_back)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, columns) bytes -> (n,) bits net by latents that chance draws: what the model says, or a little more."""
        return self.bits_back.code_length(_bytes(checked_symbols(symbols, self.columns)))

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        mixture = self.mixture
        head = [*self.shape, self.growth, len(self.levels), mixture.powers.size, len(mixture.tables)]
        stacks = [stack.numbers() for level in self.levels for stack in (level.posterior, level.generator)]
        parts = [np.array(head, np.int64), mixture.powers, mixture.tables.ravel(), *stacks, zigzag(self.top.ravel())]
        return framed(MAGIC, pack_numbers(np.concatenate(parts).astype(np.uint64))) + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "VariationalAutoencoder":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, bank = unframed(data, MAGIC, "variational autoencoder")
        numbers = Cursor(unpack_numbers(head, "variational autoencoder"))
        h, w, c, growth, count, steps, components = numbers.take(7).tolist()
        powers, tables = numbers.take(steps), numbers.take(components * VALUES).reshape(-1, VALUES)
        if not 1 <= count <= MAX_LEVELS or max(h, w, c) > MAX_NUMBERS:
            raise CorruptFileError("variational autoencoder: damaged")
        levels = tuple(Level(Stack.read(numbers), Stack.read(numbers)) for _ in range(count))
        halvings = sum(level.halvings for level in levels)
        places, outputs = -(-h // 2**halvings) * -(-w // 2**halvings), 2 * levels[-1].channels
        top = unzigzag(numbers.take(places * outputs)).reshape(places, outputs)
        numbers.finish()
        found = cls((h, w, c), levels, Mixture(powers, tables), Tables.from_bytes(bank), top, growth)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "VariationalAutoencoder":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())


def _bytes(symbols: Symbols) -> Symbols:
    if ((symbols < 0) | (symbols >= VALUES)).any():
        raise UsageError("a variational autoencoder codes bytes: symbols from 0 to 255")
    return symbols

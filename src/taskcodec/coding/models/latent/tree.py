"""Latent trees: a mixture, a hidden Markov model over columns, a hidden Chow-Liu tree, as tables of integers.

Each latent variable has K states, and a table of them for each state of its parent; each column has a table for each
state of its owner. Rows are coded by bits-back: so no probability of a symbol, which sums over states give, has to be
the same in encoder and decoder, but only the tables and a posterior in integers (`taskcodec.coding.models.latent`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.bits_back import MOST_GROWTH, BitsBack, push_chain
from taskcodec.coding.models.latent.forest import Forest, Indices
from taskcodec.coding.models.latent.model import LatentModel
from taskcodec.coding.models.latent.parts import TreeLikelihood, TreePosterior, TreePrior, evidence_bits
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.packed import framed, pack_numbers, unframed, unpack_numbers
from taskcodec.coding.symbol_model import Bits, Given, Symbols, checked_symbols
from taskcodec.errors import CorruptFileError

MAGIC = b"TREE"
"""The bytes of latent trees begin with it; those of other kinds cannot."""
MIN_STATES, MAX_STATES = 2, 256
MAX_TABLES = 1 << 16


@dataclass(frozen=True, eq=False)
class LatentTree(LatentModel):
    """See the module.

    Attributes:
        forest: which variable depends on which, and whose each column is.
        states: K.
        bank: the tables: of each root, of each other variable given each state of its parent, of each column given
            each state of its owner. Those of a variable have the run 0 ... K - 1, those of a column all the same run.
        growth: see `BitsBack`.
        read_from: the bytes that they were read from, where they were.
    """

    kind = "latent_tree"

    forest: Forest
    states: int
    bank: Tables
    growth: int = MOST_GROWTH
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        forest, k, bank = self.forest, self.states, self.bank
        roots = forest.levels[0].stop
        latent = roots + (forest.latents - roots) * k
        if (
            not MIN_STATES <= k <= MAX_STATES
            or latent + forest.columns * k != bank.columns
            or bank.columns > MAX_TABLES
        ):
            raise CorruptFileError("latent tree: its tables are not those of its variables and columns")
        if (bank.first[:latent] != 0).any() or (bank.sizes[:latent] != k).any():
            raise CorruptFileError("latent tree: a table of states that are none")
        if not 1 <= self.growth <= MOST_GROWTH:
            raise CorruptFileError(f"latent tree: a growth of {self.growth}")
        for of_column in (bank.first[latent:].reshape(-1, k), bank.sizes[latent:].reshape(-1, k)):
            if (of_column != of_column[:, :1]).any():
                raise CorruptFileError("latent tree: tables of a column that have other symbols")

    @property
    def columns(self) -> int:
        """c."""
        return self.forest.columns

    @property
    def choices(self) -> Tables:
        """The bank."""
        return self.bank

    @cached_property
    def bits_back(self) -> BitsBack:
        """What codes a row."""
        forest, k, bank = self.forest, self.states, self.bank
        prior, likelihood = TreePrior(forest, k, bank), TreeLikelihood(forest, k, bank)
        return BitsBack(prior, likelihood, TreePosterior(forest, k, bank), forest.latents, self.growth)

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, c) symbols onto an ANS coder, chained: see `push_chain`."""
        push_chain(coder, symbols, self.bits_back)

    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, c) symbols -> (n,) -log2 p of each row: what it takes net, in the mean."""
        return evidence_bits(self.forest, self.states, self.bank, checked_symbols(symbols, self.columns))

    def to_bytes(self) -> bytes:
        """Compact bytes; what was read gives the bytes it was read from, as for plain tables."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        forest = self.forest
        sizes = np.array([forest.latents, forest.columns, self.states, self.growth])
        head = np.concatenate([sizes, forest.parents + 1, forest.owners]).astype(np.uint64)
        return framed(MAGIC, pack_numbers(head)) + self.bank.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "LatentTree":
        """Invert `to_bytes`. Raises CorruptFileError on anything else; allocates no more than the data warrant."""
        head, bank = unframed(data, MAGIC, "latent tree")
        numbers = unpack_numbers(head, "latent tree")
        if numbers.size < 4 or (numbers > MAX_TABLES).any() or numbers.size != 4 + int(numbers[0]) + int(numbers[1]):
            raise CorruptFileError("latent tree: damaged or truncated")
        m, _, states, growth = numbers[:4].tolist()
        places: Indices = numbers[4:].astype(np.int32)
        found = cls(Forest(places[:m] - 1, places[m:]), states, Tables.from_bytes(bank), growth)
        object.__setattr__(found, "read_from", bytes(data))
        return found

    @classmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> "LatentTree":
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""
        return cls.from_bytes(tensors["tables"].tobytes())

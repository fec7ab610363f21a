"""What foretells coefficients: integer networks choose their tables, as `small_jpegs.bin` has them; part of the format.

For each diagonal, half of the board, and luma or colour there is a network that gives the size of each coefficient, in
64ths of an octave of steps, and up to the third diagonal a linear one that gives its mean.

    level := (size + 6 octaves) / (a quarter of an octave), rounded down; four more than LEVELS - 1 for each low bit
    table := that of the kind of diagonal, the level and the quarter of a step in which the mean lies
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import Cursor, IntegerNetwork
from taskcodec.coding.models.tables import Tables
from taskcodec.coding.packed import unpack_numbers
from taskcodec.transforms.originals.blocks.context import DIAGONALS, SIGNED, STARTS, Plane, first_inputs, later_inputs

Ints = npt.NDArray[np.int64]
LEVELS, PER_OCTAVE, LOWEST_OCTAVE, MOST_LOW_BITS = 40, 4, -6, 7
PHASES, MOST_QUARTERS = 4, 1 << 13
PARTS = 64
"""Of an octave, in which networks give sizes."""
MEAN_PARTS = 64
"""Of one, in which they give means before quantization."""


@dataclass(frozen=True)
class Step:
    """Coefficients that are coded together: `second` is the half of the board, False on the first diagonal."""

    colour: bool
    diagonal: int
    second: bool

    def inputs(self, plane: Plane, blocks: Ints) -> tuple[Ints, Ints | None]:
        """Of m blocks (m, i) for sizes, (m, j) for means, None where there are none."""
        if self.diagonal == 0:
            return first_inputs(plane, blocks)
        return later_inputs(plane, self.diagonal, self.second, blocks)


def all_steps(colour: bool) -> list[Step]:
    """Of a plane, in their order."""
    later = [Step(colour, diagonal, half) for diagonal in range(1, DIAGONALS) for half in (False, True)]
    return [Step(colour, 0, False), *later]


@dataclass(frozen=True, eq=False)
class Choice:
    """For (m, c) coefficients: which table, what is added to its symbol, and how many low bits follow."""

    table: Ints
    offset: Ints
    low: Ints


@dataclass(frozen=True, eq=False)
class Model:
    """The networks of each step, for sizes and for means, and the tables."""

    networks: dict[Step, tuple[IntegerNetwork, IntegerNetwork | None]]
    tables: Tables

    def choose(self, step: Step, plane: Plane, blocks: Ints) -> Choice:
        """How the coefficients of these blocks are coded in a step."""
        d, (scale, signed) = step.diagonal, step.inputs(plane, blocks)
        steps = plane.steps[plane.picture[blocks], STARTS[d] : STARTS[d + 1]]
        sizes, means = self.networks[step]
        size = sizes(scale.astype(np.int32)) - _octaves()[steps] - LOWEST_OCTAVE * PARTS
        level = np.clip(size // (PARTS // PER_OCTAVE), 0, LEVELS + MOST_LOW_BITS * PER_OCTAVE - 1)
        low = np.maximum(level - LEVELS + PER_OCTAVE, 0) // PER_OCTAVE
        level = level - low * PER_OCTAVE
        if means is None or signed is None:
            return Choice(_first_table(d) + level, np.zeros_like(level), low)
        part = MEAN_PARTS // PHASES * steps
        quarters = np.clip((means(signed.astype(np.int32)) + part // 2) // part, -MOST_QUARTERS, MOST_QUARTERS)
        return Choice(_first_table(d) + level * PHASES + quarters % PHASES, quarters // PHASES, low)


def _first_table(diagonal: int) -> int:
    """Of the first diagonal, of those with means, and of the others."""
    return LEVELS * PHASES * min(diagonal, 1) if diagonal <= SIGNED else 2 * LEVELS * PHASES


@cache
def _octaves() -> Ints:
    """(256,) 64 log2 of a step, rounded down."""
    return np.array([0, *((step**PARTS).bit_length() - 1 for step in range(1, 256))], np.int64)


@cache
def model() -> Model:
    """The one that ships.

    file := length (4) of what follows, packed numbers of the networks, bytes of the tables
    """
    data = resources.files("taskcodec").joinpath("transforms/originals/blocks/small_jpegs.bin").read_bytes()
    end = 4 + int.from_bytes(data[:4], "little")
    numbers, networks = Cursor(unpack_numbers(data[4:end], "small_jpegs.bin")), {}
    for step in (*all_steps(False), *all_steps(True)):
        sizes = IntegerNetwork.read(numbers)
        networks[step] = (sizes, IntegerNetwork.read(numbers) if step.diagonal <= SIGNED else None)
    numbers.finish()
    return Model(networks, Tables.from_bytes(data[end:]))

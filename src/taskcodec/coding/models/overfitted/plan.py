"""What a network for one picture has, and where its numbers and the latents lie among the symbols of that picture.

    symbols := how fine each kind of weight is, scales of these kinds, changes of the weights, latents (coarsest first)

Latents of several resolutions under a small synthesis: Ladune et al., "COOL-CHIC: Coordinate-based low complexity
hierarchical image codec" (ICCV 2023); Kim et al., "C3: High-performance and low-complexity neural compression from a
single image or video" (CVPR 2024). Weights are said as changes of those that a codec starts from.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from taskcodec.errors import CorruptFileError

Size = tuple[int, int]
PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Of each 2 x 2 places of a latent, the one that each pass decodes: row and column."""
NEAR: tuple[tuple[Size, ...], ...] = (
    (),
    ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    ((0, -1), (0, 1), (-1, 0), (1, 0)),
    ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)),
)
"""The neighbours that passes before have decoded, by pass: rows down, columns to the right."""
AROUND = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))
"""The places of the next coarser latent that are seen, around the one that has four of this."""
SEEN = 2
"""Numbers of a symbol that is seen: its magnitude, and itself."""
KERNEL = 3
"""Side of the synthesis's last convolution."""
KINDS = ("synthesis weights", "synthesis biases", "context weights", "context biases")
HEAD = 2 * len(KINDS)
"""Symbols before the weights: of each kind how fine its changes are, and the scale of their table."""
MAX_LEVELS, MAX_WIDTH, MAX_OUTPUTS = 10, 64, 64
FINEST = (1, 2, 4)
MAX_SYMBOLS = 1 << 26
"""Of a picture: beyond, no picture of ours is."""


@dataclass(frozen=True)
class Part:
    """Weights that belong together.

    Attributes:
        name: of the part.
        kind: its place in KINDS.
        shape: of the weights.
    """

    name: str
    kind: int
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Plan:
    """The sizes of a network for one picture.

    Attributes:
        levels: latents, each with half the places of the one before along either side.
        width: inner values of the synthesis at each place.
        context: inner values of the network that chooses tables, at each symbol.
        outputs: channels that the synthesis gives; 3 of a picture.
        finest: pixels between two places of the finest latent, 1, 2 or 4.
    """

    levels: int
    width: int
    context: int
    outputs: int = 3
    finest: int = 1

    def __post_init__(self) -> None:
        sizes = (
            (self.levels, MAX_LEVELS),
            (self.width, MAX_WIDTH),
            (self.context, MAX_WIDTH),
            (self.outputs, MAX_OUTPUTS),
        )
        if not all(type(size) is int and 1 <= size <= most for size, most in sizes):
            raise CorruptFileError("an overfitted network of sizes that none of ours has")
        if type(self.finest) is not int or self.finest not in FINEST:
            raise CorruptFileError(f"an overfitted network whose finest latent has a place every {self.finest} pixels")

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The weights, kind by kind."""
        o, w, c, passes = self.outputs, self.width, self.context, len(PASSES)
        near = sum(map(len, NEAR))
        return (
            Part("mix", 0, (w, self.levels)),
            Part("out", 0, (o, w)),
            Part("last", 0, (o, o, KERNEL, KERNEL)),
            Part("mix_bias", 1, (w,)),
            Part("out_bias", 1, (o,)),
            Part("last_bias", 1, (o,)),
            Part("near", 2, (c, SEEN, near)),
            Part("coarser", 2, (passes, c, SEEN, len(AROUND))),
            Part("answer", 2, (passes, 2, c)),
            Part("near_bias", 3, (passes, c)),
            Part("answer_bias", 3, (self.levels, passes, 2)),
        )

    @cached_property
    def kinds(self) -> tuple[slice, ...]:
        """Where the weights of each kind lie among all of them."""
        counts = [sum(part.count for part in self.parts if part.kind == kind) for kind in range(len(KINDS))]
        return tuple(slice(sum(counts[:kind]), sum(counts[: kind + 1])) for kind in range(len(KINDS)))

    @cached_property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(part.count for part in self.parts)

    def named(self) -> Iterator[tuple[Part, slice]]:
        """Each part, and where it lies among the weights."""
        start = 0
        for part in self.parts:
            yield part, slice(start, start + part.count)
            start += part.count

    def extents(self, size: Size) -> list[Size]:
        """(H, W) of a picture -> (h, w) of each latent, the finest first."""
        steps = [self.finest << level for level in range(self.levels)]
        return [(-(-size[0] // step), -(-size[1] // step)) for step in steps]

    def symbols(self, size: Size) -> int:
        """How many symbols a picture of (H, W) pixels has."""
        return HEAD + self.weights + sum(h * w for h, w in self.extents(size))

    @property
    def synthesis_macs(self) -> float:
        """Multiplications with addition a pixel of a large picture, by the synthesis: growing has 4 a value."""
        grown = 4.0 * sum((self.levels - 1 - level) / 4**level for level in range(self.levels))
        place: float = grown + self.width * (self.levels + self.outputs)
        more = 4.0 * self.outputs * sum(0.25**step for step in range(self.finest.bit_length() - 1))
        return float(place / self.finest**2 + more + self.outputs**2 * KERNEL**2)

    @property
    def context_macs(self) -> float:
        """The same by the network that chooses tables."""
        seen = SEEN * (sum(map(len, NEAR)) / len(PASSES) + len(AROUND))
        symbols = sum(0.25**level for level in range(self.levels)) / self.finest**2
        return symbols * self.context * (seen + 2)

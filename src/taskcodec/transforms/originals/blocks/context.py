"""What is known of a block before some of its coefficients are: the inputs of the networks that foretell these.

Coefficients are coded by diagonals of frequency, 0 (the mean) to 14, one after the other over the whole plane:

    diagonal 0    in waves from the upper left: each block sees those left of it and above
    diagonal d    first the blocks of even parity, as on a chess board, then the others: these see on four sides what
                  those have on diagonal d; all see of every block what lies on diagonals below d

Many pictures go through at once, side by side: none sees another. Everything is an integer. The `size` of a coefficient
is 8 log2 of its tenths before quantization, rounded down; of one that is 0, three tenths of a step are taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from taskcodec.transforms.originals.blocks.frame import BLOCK

Ints = npt.NDArray[np.int64]
DIAGONALS = 15
STARTS = tuple(sum(min(e + 1, DIAGONALS - e) for e in range(d)) for d in range(DIAGONALS + 1))
"""Where each diagonal begins in zigzag order."""
SIGNED = 3
"""Up to this diagonal means are foretold, not sizes alone."""
_OWN, _LUMA = 3, 10
_MARK = 64


@cache
def _limits() -> Ints:
    """(184,) the least whole numbers of at least 2**(j/8), j from 1."""
    roots = [isqrt(isqrt(isqrt(2**j))) for j in range(1, 185)]
    return np.array([root + (root**8 < 2**j) for j, root in enumerate(roots, 1)], np.int64)


def sizes(tenths: npt.ArrayLike) -> Ints:
    """Magnitudes in tenths -> 8 log2 of them, rounded down; 0 of 0."""
    return np.searchsorted(_limits(), np.asarray(tenths), side="right").astype(np.int64)


@dataclass(eq=False)
class Plane:
    """A component's blocks in all pictures that have it, as far as they are known.

    One more block, of nothing, stands for what is missing.

    Attributes:
        picture: (n,) of each block, rising.
        starts: (pictures,) the first block of each.
        steps: (pictures, 64) of quantization.
        sides: (n, 4) the blocks left, right, above and below; where one is missing, that across.
        corners: (n, 4) likewise.
        nearer: (n, 4) the blocks left, above, left above and right above; where one is missing, another of these.
        first, edge: (n,) whether a block is its picture's first, and whether it is in the first row or column.
        wave: (n,) when the mean of a block is coded.
        odd: (n,) parity on the board.
        values: (n + 1, 64) coefficients times steps.
        sizes: (n + 1, 64).
        luma: (n + 1, 64) mean values and sizes of the finest plane's blocks at the same place; None of that itself.
        ratio: (n,) how many of those there are, 8 for each beyond the first.
        twin: the other plane of colour, where it is known.
    """

    picture: Ints
    starts: Ints
    steps: Ints
    sides: Ints
    corners: Ints
    nearer: Ints
    first: npt.NDArray[np.bool_]
    edge: npt.NDArray[np.bool_]
    wave: Ints
    odd: npt.NDArray[np.bool_]
    values: Ints
    sizes: Ints
    luma: tuple[Ints, Ints] | None = None
    ratio: Ints | None = None
    twin: "Plane | None" = None

    def __len__(self) -> int:
        return len(self.picture)

    def put(self, blocks: Ints, diagonal: int, coefficients: Ints) -> None:
        """Make (m, c) coefficients of m blocks on a diagonal known."""
        here = slice(STARTS[diagonal], STARTS[diagonal + 1])
        steps = self.steps[self.picture[blocks], here]
        self.values[blocks, here] = coefficients * steps
        magnitudes = np.abs(coefficients)
        self.sizes[blocks, here] = sizes(np.where(magnitudes, 10 * magnitudes, 3) * steps)

    def waves(self) -> list[Ints]:
        """The blocks in the order of the first diagonal: those left of each and above come before it."""
        order = np.argsort(self.wave, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.wave[order])) + 1)


def blank(shapes: Sequence[tuple[int, int]], steps: Ints) -> Plane:
    """Planes of (rows, columns) blocks of which nothing is known."""
    counts = np.array([rows * columns for rows, columns in shapes])
    starts, n = np.cumsum(counts) - counts, int(counts.sum())
    y, x, *links = (np.concatenate(each) for each in zip(*(_links(*shape) for shape in shapes), strict=True))
    shift = np.repeat(starts, counts)[:, None]
    sides, corners, nearer = (np.where(each < 0, n, each + shift) for each in links)
    nothing = np.zeros((n + 1, BLOCK), np.int64)
    return Plane(
        picture=np.repeat(np.arange(len(shapes)), counts),
        starts=starts,
        steps=steps,
        sides=sides,
        corners=corners,
        nearer=nearer,
        first=(x == 0) & (y == 0),
        edge=(x == 0) | (y == 0),
        wave=x + 2 * y,
        odd=(y + x) % 2 == 1,
        values=nothing,
        sizes=nothing.copy(),
    )


def beside(
    luma: Plane, starts: Ints, luma_shapes: Sequence[tuple[int, int]], shapes: Sequence[tuple[int, int]], plane: Plane
) -> None:
    """Tell a plane of colour what is known of the finest one.

    Args:
        luma: that one, of more pictures perhaps.
        starts: in it, of the first block of each picture that has colour.
        luma_shapes, shapes: (rows, columns) of these pictures' blocks, of the finest plane and of this one.
        plane: of colour.
    """
    groups, ratios = list[Ints](), list[int]()
    for start, (tall, wide), (rows, columns) in zip(starts.tolist(), luma_shapes, shapes, strict=True):
        down, across = tall // rows, wide // columns
        y, x = np.divmod(np.arange(rows * columns), columns)
        corner = start + y * down * wide + x * across
        groups.append(np.stack([corner + dy * wide + dx for dy in (0, down - 1) for dx in (0, across - 1)], 1))
        ratios.append(8 * (down * across - 1))
    at = np.concatenate(groups)
    none = np.zeros((1, BLOCK), np.int64)
    values, found = (np.concatenate([each[at].sum(1) // 4, none]) for each in (luma.values, luma.sizes))
    plane.luma, plane.ratio = (values, found), np.array(ratios)[plane.picture]


def first_inputs(plane: Plane, blocks: Ints) -> tuple[Ints, Ints]:
    """Of m blocks before their first diagonal: (m, i) for its size, (m, j) for its mean."""
    near, first = plane.nearer[blocks], plane.first[blocks]
    w, a, c, r = plane.values[near, 0].T
    slopes, means = [w - c, a - c, a - r, w - a], [w, a, c, r]
    others = list[Ints]()
    if plane.luma is not None:
        others = [
            plane.luma[0][:, 0],
            np.zeros_like(plane.values[:, 0]) if plane.twin is None else plane.twin.values[:, 0],
        ]
    for other in others:
        here, left, above, corner = other[blocks], *other[near[:, :3]].T
        means += [here, left, above, corner]
        slopes += [np.where(first, 0, here - left), np.where(first, 0, here - above)]
    level = [sizes(10 * plane.steps[plane.picture[blocks], 0]), first * _MARK, plane.edge[blocks] * _MARK]
    level.append(np.zeros_like(blocks) if plane.ratio is None else plane.ratio[blocks])
    return np.stack([*(sizes(10 * np.abs(each)) for each in slopes), *level], 1), np.stack(means, 1)


def later_inputs(plane: Plane, diagonal: int, second: bool, blocks: Ints) -> tuple[Ints, Ints | None]:
    """Of m blocks before a later diagonal: (m, i) for its sizes, (m, j) for its means, None where there are none."""
    here, after = STARTS[diagonal], STARTS[diagonal + 1]
    before, own, known = STARTS[diagonal - 1], STARTS[max(diagonal - _OWN, 0)], after if second else here
    sides, size, count, picture = plane.sides[blocks], plane.sizes, len(blocks), plane.picture[blocks]
    missing = sides == len(plane)
    parts = [
        size[blocks, own:here],
        size[blocks, 1:here].sum(1, keepdims=True) // max(here - 1, 1),
        size[sides, before:known].reshape(count, -1),
        size[plane.corners[blocks], before:here].sum(1) // 4,
        size[sides, 1:here].sum((1, 2))[:, None] // max(4 * (here - 1), 1),
        _means(size[:-1, before:here], plane.starts)[picture],
        sizes(10 * plane.steps[:, here:after])[picture],
    ]
    if second:
        even = np.flatnonzero(~plane.odd)
        parts.append(_means(size[even, here:after], np.searchsorted(even, plane.starts))[picture])
    if diagonal <= 2:
        slopes = plane.values[sides, 0] - plane.values[blocks, 0][:, None]
        parts.append(sizes(10 * np.abs(np.where(missing, 0, slopes))))
    if plane.luma is not None and plane.ratio is not None:
        luma = plane.luma[1][blocks]
        near = slice(before, STARTS[min(diagonal + 2, DIAGONALS)])
        parts += [
            luma[:, 1:_LUMA],
            luma[:, here:after],
            plane.ratio[blocks][:, None],
            _of_twin(plane, "sizes", blocks, near),
        ]
    scale = np.concatenate(parts, 1)
    if diagonal > SIGNED:
        return scale, None
    around = plane.values[sides, :known]
    around[:, :, 0] -= np.where(missing, 0, plane.values[blocks, 0][:, None])
    signed = [plane.values[blocks, 1:here], around.reshape(count, -1)]
    if plane.luma is not None:
        signed += [plane.luma[0][blocks, 1:_LUMA], _of_twin(plane, "values", blocks, slice(0, after))]
    return scale, np.concatenate(signed, 1)


def _of_twin(plane: Plane, what: str, blocks: Ints, columns: slice) -> Ints:
    """What is known of the other plane of colour at the same blocks; nothing of one that is not there yet."""
    if plane.twin is None:
        return np.zeros((len(blocks), columns.stop - columns.start), np.int64)
    found: Ints = getattr(plane.twin, what)[blocks, columns]
    return found


def _means(rows: Ints, starts: Ints) -> Ints:
    """The mean of the rows of each picture, rounded down."""
    counts = np.diff(starts, append=len(rows))
    return np.add.reduceat(rows, starts, axis=0) // counts[:, None]


@lru_cache(64)
def _links(rows: int, columns: int) -> tuple[Ints, ...]:
    """Of a plane: its blocks' rows, columns, sides, corners and nearer blocks, -1 where there is none."""
    y, x = np.divmod(np.arange(rows * columns), columns)

    def at(dy: int, dx: int) -> Ints:
        yy = np.where((y + dy < 0) | (y + dy >= rows), y - dy, y + dy)
        xx = np.where((x + dx < 0) | (x + dx >= columns), x - dx, x + dx)
        inside = (yy >= 0) & (yy < rows) & (xx >= 0) & (xx < columns)
        return np.where(inside, yy * columns + xx, -1)

    here = y * columns + x
    above, left = np.where(y > 0, here - columns, -1), np.where(x > 0, here - 1, -1)
    left, above = np.where(x > 0, left, above), np.where(y > 0, above, left)
    corner = np.where((x > 0) & (y > 0), here - columns - 1, np.where(y > 0, above, left))
    right = np.where((y > 0) & (x + 1 < columns), here - columns + 1, above)
    sides = np.stack([at(0, -1), at(0, 1), at(-1, 0), at(1, 0)], 1)
    corners = np.stack([at(-1, -1), at(-1, 1), at(1, -1), at(1, 1)], 1)
    return y, x, sides, corners, np.stack([left, above, corner, right], 1)

"""Sources whose every entropy is known: where the theory can be checked to the last digit.

A source comes with a group that acts on it. Two points are equivalent, x ~ x+, where the group takes one to the other;
a class of equivalent points is an orbit, and its name is the maximal invariant: M(x) = M(x+) if and only if x ~ x+
(Dubois, Bloem-Reddy, Ullrich, Maddison, "Lossy Compression for Lossless Prediction", NeurIPS 2021, section 2).

    finite       uniform over rows; the group is given by generators, the orbits are found from them
    continuous   the plane under rotation, M(x) = |x|
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
EULER = 0.5772156649015329


@dataclass(frozen=True, eq=False)
class FiniteSource:
    """A uniform source over s points, moved by a group.

    Attributes:
        name: for reports.
        points: (s, d) integers.
        moves: (g, s) generators of the group: generator i takes point x to point moves[i, x].
    """

    name: str
    points: npt.NDArray[np.int64]
    moves: Ints

    @cached_property
    def orbits(self) -> Ints:
        """(s,) the maximal invariant: numbers 0, 1, ... of the points' orbits."""
        lowest = np.arange(self.moves.shape[1])
        while True:
            # A point and its image lie in one orbit: both take the smaller name, until nothing changes.
            before = lowest.copy()
            for move in self.moves:
                np.minimum.at(lowest, move, lowest.copy())
                lowest = np.minimum(lowest, lowest[move])
            lowest = lowest[lowest]
            if np.array_equal(lowest, before):
                return np.unique(lowest, return_inverse=True)[1].astype(np.intp)

    @property
    def entropy_bits(self) -> float:
        """H[X]."""
        return math.log2(self.moves.shape[1])

    @cached_property
    def invariant_entropy_bits(self) -> float:
        """H[M], counted from the orbits."""
        shares = np.bincount(self.orbits) / len(self.orbits)
        return float(-(shares * np.log2(shares)).sum())

    def sample(self, count: int, seed: int) -> Ints:
        """(count,) numbers of points."""
        return np.random.default_rng(seed).integers(0, self.moves.shape[1], count)

    def views(self, numbers: npt.ArrayLike, seed: int) -> Ints:
        """A random equivalent point for each of (m,) points, every point of its orbit as likely as another.

        Raises UsageError on the number of no point: a negative one would wrap round.
        """
        wanted, points = np.asarray(numbers), len(self.orbits)
        if ((wanted < 0) | (wanted >= points)).any():
            raise UsageError(f"{self.name}: points have numbers from 0 to {points - 1}, found others")
        order = np.argsort(self.orbits, kind="stable")
        sizes = np.bincount(self.orbits)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        orbit = self.orbits[wanted]
        within = np.random.default_rng(seed).integers(0, sizes[orbit])
        return np.asarray(order[starts[orbit] + within], dtype=np.intp)


def product_source(n: int, m: int) -> FiniteSource:
    """Uniform on Z_n x Z_m; the group shifts the second coordinate: H[M] = log2 n, H[X|M] = log2 m.

    Raises UsageError where there is no point.
    """
    _check_count("rows and columns of a product", min(n, m), 1)
    points = np.stack(np.divmod(np.arange(n * m), m), axis=1)
    shifted = points[:, 0] * m + (points[:, 1] + 1) % m
    return FiniteSource(f"Z_{n} x Z_{m}, second coordinate shifted", points, shifted[None])


def permuted_bits(bits: int = 16) -> FiniteSource:
    """Fair bits whose order does not matter: M is their sum, binomial. Raises UsageError on less than none."""
    _check_count("bits in any order", bits, 0)
    numbers = np.arange(1 << bits)
    points = numbers[:, None] >> np.arange(bits) & 1
    weights = 1 << np.arange(bits)
    swaps = []
    for j in range(bits - 1):
        swapped = points.copy()
        swapped[:, [j, j + 1]] = points[:, [j + 1, j]]
        swaps.append(swapped @ weights)
    return FiniteSource(f"{bits} fair bits in any order", points, np.array(swaps).reshape(-1, 1 << bits))


def shifted_strings(bits: int) -> FiniteSource:
    """Fair bits on a ring, known up to rotation: M is the necklace. Raises UsageError where there is no bit."""
    _check_count("bits on a ring", bits, 1)
    numbers = np.arange(1 << bits)
    turned = (numbers << 1 & (1 << bits) - 1) | numbers >> (bits - 1)
    return FiniteSource(f"{bits} fair bits on a ring", numbers[:, None] >> np.arange(bits) & 1, turned[None])


def disjoint_orbits(items: int, views: int) -> FiniteSource:
    """A data set: `items` samples, each with `views` views that no other sample has. H[M] = log2(items).

    Raises UsageError where there is no sample or no view.
    """
    source = product_source(items, views)
    return FiniteSource(f"{items} samples of {views} views", source.points, source.moves)


def binomial_entropy_bits(bits: int) -> float:
    """H of the sum of fair bits. Raises UsageError on a negative number of them."""
    _check_count("bits of a sum", bits, 0)
    # By logarithms: the shares of many bits are too small for a float.
    surprises = (
        bits - (math.lgamma(bits + 1) - math.lgamma(k + 1) - math.lgamma(bits - k + 1)) / math.log(2)
        for k in range(bits + 1)
    )
    return sum(2**-surprise * surprise for surprise in surprises)


def necklace_count(bits: int) -> int:
    """How many orbits rotation has on strings of bits (Burnside): the mean number of strings that a rotation fixes.

    Raises UsageError where there is no bit.
    """
    _check_count("bits on a ring", bits, 1)
    return sum(1 << math.gcd(bits, turn) for turn in range(bits)) // bits


def necklace_entropy_bits(bits: int) -> float:
    """H of the necklace of fair bits: a string of least period d shares its orbit with d strings, itself included.

    Raises UsageError where there is no bit.
    """
    _check_count("bits on a ring", bits, 1)
    exactly: dict[int, int] = {}
    for period in (d for d in range(1, bits + 1) if bits % d == 0):
        exactly[period] = (1 << period) - sum(count for d, count in exactly.items() if period % d == 0)
    return bits - sum(count / (1 << bits) * math.log2(d) for d, count in exactly.items())


def _check_count(what: str, found: int, least: int) -> None:
    """Raises UsageError on a count below `least`."""
    if found < least:
        raise UsageError(f"{what}: at least {least} expected, found {found}")


@dataclass(frozen=True)
class PlaneSource:
    """A density on the plane under rotation about the origin: M(x) = |x|.

    Attributes:
        name: for reports.
        draw: (count, generator) -> (count, 2) points.
        density: (n, 2) points -> (n,) density.
        entropy_bits: h(X), closed form.
        reach: nearly no point lies further from the origin.
    """

    name: str
    draw: Callable[[int, np.random.Generator], Floats]
    density: Callable[[Floats], Floats]
    entropy_bits: float
    reach: float

    def sample(self, count: int, seed: int) -> Floats:
        """(count, 2) points."""
        return self.draw(count, np.random.default_rng(seed))

    def invariant(self, points: npt.ArrayLike) -> Floats:
        """(n, 2) points -> (n,) |x|."""
        return np.asarray(np.hypot(*np.asarray(points, dtype=np.float64).T), dtype=np.float64)

    def views(self, points: npt.ArrayLike, seed: int) -> Floats:
        """(n, 2) points, each turned by a random angle of its own."""
        return rotate(points, np.random.default_rng(seed).uniform(0, 360, len(np.asarray(points))))

    def radial_density(self, radii: npt.ArrayLike, angles: int = 1024) -> Floats:
        """(r,) radii -> (r,) density of |X|: the density's integral over each circle (trapezoids, exact to rounding
        for what is smooth on a circle). Raises UsageError on a radius that is negative or not finite."""
        r = np.asarray(radii, dtype=np.float64)
        if not ((r >= 0) & (r < np.inf)).all():
            raise UsageError(f"{self.name}: radii are finite and not negative, found {r.min():g} to {r.max():g}")
        _check_count("angles", angles, 1)
        turn = np.linspace(0, 2 * np.pi, angles, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return np.array([radius * 2 * np.pi * self.density(radius * circle).mean() for radius in r])

    @cached_property
    def invariant_entropy_bits(self) -> float:
        """h(|X|) by quadrature, good to 1e-4."""
        edges, width = np.linspace(0, self.reach, 2000, endpoint=False, retstep=True)
        p = self.radial_density(edges + width / 2)
        p = p[p > 0]
        return float(-(p * np.log2(p)).sum() * width)


def rotate(points: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """(n, 2) points turned counter-clockwise by one angle, or by (n,) angles."""
    x, y = np.asarray(points, dtype=np.float64).T
    angle = np.deg2rad(np.asarray(degrees, dtype=np.float64))
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def _gaussian_bits(spread: Floats) -> float:
    return float(np.log2(2 * np.pi * np.e) * len(spread) / 2 + np.log2(spread).sum())


def _gaussian_density(x: Floats, spread: Floats) -> Floats:
    result: Floats = np.exp(-((x / spread) ** 2).sum(axis=1) / 2) / (2 * np.pi * spread.prod())
    return result


def normal_source() -> PlaneSource:
    """N(0, I_2): |X| is Rayleigh."""
    spread = np.ones(2)
    return PlaneSource(
        "N(0, I) in the plane",
        lambda count, generator: generator.normal(size=(count, 2)),
        lambda x: _gaussian_density(x, spread),
        _gaussian_bits(spread),
        10.0,
    )


def rayleigh_entropy_bits() -> float:
    """h of the length of a standard normal point in the plane: 1 - ln(2)/2 + gamma/2 nats."""
    return (1 - math.log(2) / 2 + EULER / 2) / math.log(2)


def banana_source() -> PlaneSource:
    """The banana of Dubois et al. 2021, appendix: a long Gaussian, bent, turned and moved; each step keeps areas.

        z ~ N(0, diag(3, 0.5)^2)  -bend->  (z1, z2 + 0.1 (z1^2 - 9))  -turn by -40 degrees->  -move by (-0.75, -1)-> x

    which is curvature 0.05, factor 6, angle -40, shift (-1.5, -2), all at scale 1/2.
    """
    spread, move = np.array([3.0, 0.5]), np.array([-0.75, -1.0])

    def bend(z: Floats, sign: float) -> Floats:
        bent: Floats = np.stack([z[:, 0], z[:, 1] + sign * 0.1 * (z[:, 0] ** 2 - 9.0)], axis=1)
        return bent

    def draw(count: int, generator: np.random.Generator) -> Floats:
        bent: Floats = bend(generator.normal(size=(count, 2)) * spread, 1.0)
        moved: Floats = rotate(bent, -40.0) + move
        return moved

    def density(x: Floats) -> Floats:
        return _gaussian_density(bend(rotate(x - move, 40.0), -1.0), spread)

    return PlaneSource("banana", draw, density, _gaussian_bits(spread), 40.0)

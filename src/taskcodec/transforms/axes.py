"""The axes of a linear map as coded integers: one matrix where a map and its inverse would take two.

    axes (d, k) = integers (d, k) * 2 ** exponents (k,)        synthesis: u = y @ axes'
    y = u @ pseudoinverse(axes)'                               analysis: the nearest point of what the axes span

The axes of a Karhunen-Loeve transform are orthonormal, so that analysis and synthesis are one matrix. Rounded they no
longer are quite, and the pseudoinverse takes care of it. What rounding an axis costs grows with the variance along it:
so leading axes get a finer step than the rest, each a power of two, and the integers are entropy coded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.coding import Tables, decode_block, encode_block, freeze_pmf
from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints, write_varints
from taskcodec.errors import CorruptFileError

MAX_NUMBERS = 2**27
"""Numbers in a matrix of axes, at most: what reading one may have to hold in memory, four bytes each."""
EXPONENTS = range(-24, 2)
"""Exponents of steps."""
MAX_INTEGER = 2**24
"""Magnitude of an integer: numbers of unit vectors have no larger one, and float32 holds all up to it exactly."""
LEAST_APART = 0.1
"""Share of an axis's length that lies outside the span of those before it, at least; of orthonormal axes it is 1."""
_REACH = 2**12
"""Numbers beyond this are escaped: tables stay small whatever the axes."""
_ESCAPE = 1e-5
_SMOOTHING = 0.1

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Axes:
    """k axes in d dimensions, 1 <= k <= d.

    Attributes:
        integers: (d, k) int32, an axis a column, none of them all 0.
        exponents: (k,) int8, of the steps.
        read_from: the bytes that the integers were read from, where they were.
    """

    integers: npt.NDArray[np.int32]
    exponents: npt.NDArray[np.int8]
    read_from: bytes | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        integers, exponents = self.integers, self.exponents
        if integers.ndim != 2 or exponents.shape != integers.shape[1:] or not 1 <= exponents.size <= len(integers):
            raise CorruptFileError(f"axes: numbers {integers.shape} and exponents {exponents.shape} that no codec has")
        if max(int(integers.max()), -int(integers.min())) > MAX_INTEGER or not integers.any(axis=0).all():
            raise CorruptFileError(f"axes: numbers beyond {MAX_INTEGER}, or an axis of zeros")
        if not set(np.unique(exponents).tolist()) <= set(EXPONENTS):
            raise CorruptFileError(f"axes: exponents that are not from {EXPONENTS.start} to {EXPONENTS.stop - 1}")

    @property
    def columns(self) -> int:
        """k, the number of axes."""
        return int(self.exponents.size)

    @cached_property
    def synthesis(self) -> Floats:
        """(k, d), exactly the coded numbers."""
        return np.ascontiguousarray(np.ldexp(self.integers.astype(np.float32), self.exponents.astype(np.int32)).T)

    @cached_property
    def apart(self) -> float:
        """The least share of an axis's length that lies outside the span of those before it; 0 where one lies in it."""
        axes = self.synthesis.T.astype(np.float64)
        axes /= np.linalg.norm(axes, axis=0)
        try:
            return float(np.linalg.cholesky(axes.T @ axes).diagonal().min())
        except np.linalg.LinAlgError:
            return 0.0

    @cached_property
    def analysis(self) -> Floats:
        """(d, k), the pseudoinverse. Raises CorruptFileError where the axes all but span fewer directions than k."""
        if self.apart < LEAST_APART:
            raise CorruptFileError(f"axes: {self.columns} axes that span fewer directions: the codec cannot encode")
        axes = self.synthesis.T.astype(np.float64)
        # The normal equations: rounded axes are nearly orthonormal, and this is ten times quicker than by an SVD.
        return np.ascontiguousarray(np.linalg.solve(axes.T @ axes, axes.T).T, dtype=np.float32)

    def take(self, keep: npt.NDArray[np.intp]) -> "Axes":
        """Some of the axes."""
        return Axes(self.integers[:, keep], self.exponents[keep])

    def to_bytes(self) -> bytes:
        """Compact bytes of the integers; what was read gives the bytes it was read from (see `Tables.to_bytes`)."""
        return self._encoded if self.read_from is None else self.read_from

    @cached_property
    def _encoded(self) -> bytes:
        tables = _tables(self.integers, self.exponents)
        coded = tables.to_bytes()
        return write_varints(np.array([len(coded)], np.uint64)) + coded + encode_block(self.integers, tables)

    @classmethod
    def from_bytes(cls, data: bytes, exponents: npt.NDArray[np.int8], dimension: int) -> "Axes":
        """Invert `to_bytes`. Raises CorruptFileError; holds no more than MAX_NUMBERS numbers before it does."""
        head = bytes(data[:MAX_VARINT_BYTES])
        ends = [at for at, byte in enumerate(head) if byte < 128][:1]
        if not ends or exponents.ndim != 1 or not 1 <= exponents.size <= dimension:
            raise CorruptFileError("axes: damaged, or not as many as their exponents and the features say")
        if dimension * exponents.size > MAX_NUMBERS:
            raise CorruptFileError(f"axes: {exponents.size} in {dimension} dimensions are larger than any of ours")
        start = ends[0] + 1
        end = start + int(read_varints(head[:start])[0])
        tables = Tables.from_bytes(bytes(data[start:end]))
        if tables.columns != exponents.size:
            raise CorruptFileError(f"axes: {tables.columns} tables for {exponents.size} exponents")
        found = cls(decode_block(bytes(data[end:]), dimension, tables), exponents)
        object.__setattr__(found, "read_from", bytes(data))
        return found


def round_axes(axes: npt.NDArray[np.float64], variances: npt.NDArray[np.float64], error: float) -> Axes:
    """Round orthonormal axes so that this adds about `error` to the mean squared error of what they reconstruct.

    Args:
        axes: (d, k) columns.
        variances: (k,) mean square along each, positive.
        error: to be added, shared evenly: d step^2 / 12 is an axis's own squared error, which its variance multiplies.

    Steps are finer where axes would come to lie in one another's span.
    """
    d, k = axes.shape
    steps = (math.log2(12 * error / (d * k)) - np.log2(np.maximum(variances, np.finfo(np.float64).tiny))) / 2
    largest = np.abs(axes).max(axis=0)  # at a coarser step nothing would be left of an axis
    exponents = np.minimum(np.rint(steps), np.floor(np.log2(largest)))
    exponents = np.clip(exponents, EXPONENTS.start, EXPONENTS.stop - 1).astype(np.int8)
    while True:
        integers = np.rint(np.ldexp(axes, -exponents.astype(np.int32))).astype(np.int32)
        found = Axes(integers, exponents)
        if found.apart >= LEAST_APART or exponents.max() == EXPONENTS.start:
            return found
        exponents = np.maximum(exponents - 1, EXPONENTS.start).astype(np.int8)


def _tables(integers: npt.NDArray[np.int32], exponents: npt.NDArray[np.int8]) -> Tables:
    """A table for each step: axes of equal steps have numbers of one density."""
    first: npt.NDArray[np.int32] = np.zeros(len(exponents), np.int32)
    pmfs: list[npt.NDArray[np.float64]] = [np.ones(1)] * len(exponents)
    for exponent in np.unique(exponents):
        same: Sequence[int] = np.flatnonzero(exponents == exponent).tolist()
        values = integers[:, same].ravel()
        low, high = (int(np.clip(value, -_REACH, _REACH)) for value in (values.min(), values.max()))
        inside = values[(values >= low) & (values <= high)] - low
        pmf = np.bincount(inside, minlength=high - low + 1).astype(np.float64) + _SMOOTHING
        for column in same:
            first[column], pmfs[column] = low, pmf
    return freeze_pmf(first, pmfs, _ESCAPE)

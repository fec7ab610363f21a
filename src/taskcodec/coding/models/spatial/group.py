"""Channels of a latent with places that are coded together, in two passes over a checkerboard or in one.

    features at a place (of z, layers below, channels before) --mix--> sums --------------+--> rest --> index, mean
    symbols of the same channels at the anchors among its neighbours --context--> sums ---'   (not for anchors)

Anchors are the places (y, x) with y + x even; they are decoded first, without context. Channel groups: Minnen and
Singh, "Channel-wise autoregressive entropy models" (ICIP 2020); the checkerboard: He et al., "Checkerboard context
model for efficient learned image compression" (CVPR 2021); both, uneven: He et al., "ELIC" (CVPR 2022), section 3.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import MAX_INPUT, Cursor, Integers
from taskcodec.coding.models.spatial.convolution import (
    MAX_CHANNELS,
    MAX_DEPTH,
    MAX_KERNEL,
    SLICE_VALUES,
    Convolution,
    Stack,
    Values,
    check_exact,
)
from taskcodec.coding.packed import unzigzag, zigzag
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Checkerboard:
    """A convolution over those neighbours of a place that are of the other colour.

    Attributes:
        weights: (o, t, m) int64; the t = (k * k) // 2 neighbours are those at odd positions of k x k, row by row.
        bias: (o,) int64.
        reach: symbols are clipped to -reach ... reach.
    """

    weights: Integers
    bias: Integers
    reach: int

    def __post_init__(self) -> None:
        w, b = self.weights, self.bias
        if w.ndim != 3 or b.shape != w.shape[:1] or w.shape[1] not in [k * k // 2 for k in range(3, MAX_KERNEL + 1, 2)]:
            raise CorruptFileError("checkerboard: weights and bias do not fit each other")
        if not 0 <= self.reach <= MAX_INPUT or max(w.shape) > MAX_CHANNELS:
            raise CorruptFileError("checkerboard: channels or bounds that none of ours has")

    @cached_property
    def kernel(self) -> int:
        """k."""
        return math.isqrt(2 * self.weights.shape[1] + 1)

    @cached_property
    def _matrix(self) -> Values:
        return np.ascontiguousarray(self.weights.reshape(len(self.bias), -1).T, dtype=np.float64)

    def magnitudes(self) -> Values:
        """(o,) what no sum exceeds."""
        weights = np.abs(self.weights.astype(np.float64)).sum(axis=(1, 2))
        return np.asarray(weights * self.reach + np.abs(self.bias.astype(np.float64)))

    def __call__(self, symbols: Symbols, places: Places) -> Values:
        """(n, h, w, m) symbols -> (n, p, o) sums at some places, numbered row by row, of one colour."""
        k, width = self.kernel, symbols.shape[2]
        near = np.clip(symbols, -self.reach, self.reach).astype(np.float64)
        near = np.pad(near, ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0)))
        out = np.empty((len(symbols), len(places), len(self.bias)))
        step = max(1, SLICE_VALUES // max(1, len(symbols) * self._matrix.shape[0]))
        for start in range(0, len(places), step):
            y, x = places[start : start + step] // width, places[start : start + step] % width
            taps = [near[:, y + at // k, x + at % k] for at in range(1, k * k, 2)]
            out[:, start : start + step] = np.concatenate(taps, axis=2) @ self._matrix + self.bias
        return out

    def numbers(self) -> Integers:
        """All that it is, as non-negative numbers; what `read` reads."""
        return np.concatenate([[self.kernel, self.reach], zigzag(self.weights.ravel()), zigzag(self.bias)])

    @classmethod
    def read(cls, numbers: Cursor, inputs: int, outputs: int) -> "Checkerboard":
        """Invert `numbers`. Raises CorruptFileError on anything else."""
        k, reach = numbers.take(2).tolist()
        if k > MAX_KERNEL or inputs > MAX_CHANNELS:
            raise CorruptFileError("checkerboard: damaged")
        weights = unzigzag(numbers.take(outputs * (k * k // 2) * inputs)).reshape(outputs, k * k // 2, inputs)
        return cls(weights, unzigzag(numbers.take(outputs)), reach)


@dataclass(frozen=True, eq=False)
class SpatialGroup:
    """See the module.

    Attributes:
        columns: m channels.
        before: from the symbols of all groups before to features; None where they are not looked at.
        mix: 1 x 1, of all features.
        context: of the group's anchors, to be added to what `mix` sums up; None: all places are coded in one pass.
        rest: 1 x 1, one after the other, the last of m outputs (indices) or 2 m (indices, then means).
        cap: inner values are clipped to 0 ... cap.
    """

    columns: int
    before: Stack | None
    mix: Convolution
    context: Checkerboard | None
    rest: tuple[Convolution, ...]
    cap: int

    def __post_init__(self) -> None:
        chain = (self.mix, *self.rest)
        if not 1 <= len(self.rest) <= MAX_DEPTH or any(c.weights.shape[1] * c.stride * c.grow != 1 for c in chain):
            raise CorruptFileError("spatial group: what follows its features are convolutions of 1 x 1")
        if any(a.outputs != b.inputs for a, b in pairwise(chain)):
            raise CorruptFileError("spatial group: convolutions that do not fit each other")
        if self.columns < 1 or self.rest[-1].outputs not in (self.columns, 2 * self.columns):
            raise CorruptFileError("spatial group: its network does not fit its channels")
        if self.context is not None and (self.context.weights.shape[::2] != (self.mix.outputs, self.columns)):
            raise CorruptFileError("spatial group: its context does not fit its channels")
        if not 0 <= self.cap <= MAX_INPUT:
            raise CorruptFileError("spatial group: bounds that none of ours has")
        for layer in self.rest:
            check_exact(layer.magnitudes(self.cap))

    def check(self, features: int, reach: int, before: int) -> None:
        """Raise CorruptFileError unless it fits so many features, of at most this reach, and symbols before."""
        if self.before is not None and self.before.inputs != before:
            raise CorruptFileError("spatial group: the network of the groups before does not fit them")
        if self.mix.inputs != features + (0 if self.before is None else self.before.outputs):
            raise CorruptFileError("spatial group: its network does not fit the features")
        largest = self.mix.magnitudes(max(reach, 0 if self.before is None else self.before.cap))
        check_exact(largest if self.context is None else largest + self.context.magnitudes())

    @property
    def means(self) -> bool:
        """Whether its network gives means."""
        return self.rest[-1].outputs == 2 * self.columns

    @property
    def widest(self) -> int:
        """Most channels at any place on the way."""
        return max(self.mix.inputs, *(len(layer.bias) for layer in (self.mix, *self.rest)))

    def passes(self, features: Values, before: Symbols, own: Symbols) -> Iterator[tuple[Places, Integers]]:
        """For each pass the places that it codes, row by row, and what the network says of them.

        Args:
            features: (n, h, w, f).
            before: (n, h, w, c) symbols of the groups before.
            own: (n, h, w, m) symbols of this group; a second pass reads those of the first.

        Yields:
            (p,) places and (n, p, outputs) integers.
        """
        n, h, w, _ = features.shape
        if self.before is not None:
            features = np.concatenate([features, self.before.features(before)], axis=3)
        sums = self.mix.sums(features).reshape(n, h * w, self.mix.outputs)
        if self.context is None:
            yield np.arange(h * w), self._rest(sums)
            return
        odd = (np.arange(h)[:, None] + np.arange(w)).ravel() % 2 == 1
        anchors, others = np.flatnonzero(~odd), np.flatnonzero(odd)
        yield anchors, self._rest(sums[:, anchors])
        yield others, self._rest(sums[:, others] + self.context(own, others))

    def _rest(self, sums: Values) -> Integers:
        x = np.floor(sums * 2.0**-self.mix.shift)
        for layer in self.rest:
            x = np.floor(layer.sums(np.clip(x, 0.0, float(self.cap))) * 2.0**-layer.shift)
        return x.astype(np.int64)

    def numbers(self) -> Integers:
        """All that it is, as non-negative numbers; what `read` reads."""
        marks = (self.before is not None) + 2 * (self.context is not None)
        parts: list[npt.ArrayLike] = [[self.columns, marks, self.cap, self.mix.inputs, len(self.rest)]]
        parts += [] if self.before is None else [self.before.numbers()]
        parts += [self.mix.numbers()]
        parts += [] if self.context is None else [self.context.numbers()]
        parts += [layer.numbers() for layer in self.rest]
        return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])

    @classmethod
    def read(cls, numbers: Cursor) -> "SpatialGroup":
        """Invert `numbers`. Raises CorruptFileError on what is no group."""
        columns, marks, cap, inputs, depth = numbers.take(5).tolist()
        if marks > 3 or depth > MAX_DEPTH:
            raise CorruptFileError("spatial group: damaged")
        before = Stack.read(numbers) if marks & 1 else None
        mix = Convolution.read(numbers, inputs)
        context = Checkerboard.read(numbers, columns, mix.outputs) if marks & 2 else None
        rest, width = [], mix.outputs
        for _ in range(depth):
            rest.append(Convolution.read(numbers, width))
            width = rest[-1].outputs
        return cls(columns, before, mix, context, tuple(rest), cap)

"""A small network that computes in integers: whoever runs it, and however, gets the same numbers.

    x (n, i) --clip--> x --W_1 x + b_1 >> s_1--> clip to 0 ... cap --> h_1 --> ... --> h_L
                        '-----------------------------------------------------------'
                                                                         W [h_L; x] + b >> s --> (n, o)

Products and sums are taken in float64, by whatever BLAS there is. Every number on the way is an integer below 2**53,
proven from the weights and the bounds on their inputs when the network is made: so each operation is exact, and order,
threads, batch and machine do not matter (Balle, Johnston, Minnen, "Integer networks for data compression with latent
variable models", ICLR 2019, use integer arithmetic to the same end).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.coding.packed import unzigzag, zigzag
from taskcodec.errors import CorruptFileError

EXACT = 2.0**52
"""Sums of magnitudes stay below this: half of where float64 stops to hold every integer."""
MAX_INPUT = 1 << 20
"""Inputs and inner values are clipped to no more than this."""
MAX_SHIFT = 52
SLICE_ROWS = 4096

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Linear:
    """(W x + b) >> shift, rounded down.

    Attributes:
        weights: (out, in) int64.
        bias: (out,) int64.
        shift: 0 to MAX_SHIFT.
    """

    weights: Integers
    bias: Integers
    shift: int

    def __post_init__(self) -> None:
        w, b = self.weights, self.bias
        if w.ndim != 2 or not len(w) or b.shape != (len(w),) or w.dtype != np.int64 or b.dtype != np.int64:
            raise CorruptFileError("integer network: a layer's weights and bias do not fit each other")
        if not 0 <= self.shift <= MAX_SHIFT:
            raise CorruptFileError(f"integer network: a shift of {self.shift} bits")

    @cached_property
    def _transposed(self) -> npt.NDArray[np.float64]:
        return np.ascontiguousarray(self.weights.T, dtype=np.float64)

    def __call__(self, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, in) integers -> (n, out) integers, in float64."""
        return np.asarray(np.floor((x @ self._transposed + self.bias) * 2.0**-self.shift))

    def check_exact(self, reach: npt.NDArray[np.float64]) -> None:
        """Raise CorruptFileError unless inputs of at most these (in,) magnitudes keep every sum exact."""
        largest = np.abs(self.weights.astype(np.float64)) @ reach + np.abs(self.bias.astype(np.float64))
        if not (largest < EXACT).all():
            raise CorruptFileError("integer network: sums that a double cannot hold exactly")


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """See the module.

    Attributes:
        inputs: i.
        clip: inputs are clipped to -clip ... clip.
        cap: inner values are clipped to 0 ... cap.
        hidden: the layers before the last, may be none.
        output: the last layer, which reads the last hidden layer and then the inputs.
    """

    inputs: int
    clip: int
    cap: int
    hidden: tuple[Linear, ...]
    output: Linear

    def __post_init__(self) -> None:
        if not (0 <= self.clip <= MAX_INPUT and 0 <= self.cap <= MAX_INPUT and self.inputs >= 0):
            raise CorruptFileError("integer network: bounds that none of ours has")
        source = reach = np.full(self.inputs, float(self.clip))
        for layer in self.hidden:
            _check_width(layer, len(reach))
            layer.check_exact(reach)
            reach = np.full(len(layer.bias), float(self.cap))
        reach = np.concatenate([reach, source]) if self.hidden else source
        _check_width(self.output, len(reach))
        self.output.check_exact(reach)

    @property
    def outputs(self) -> int:
        """o."""
        return len(self.output.bias)

    def __call__(self, x: npt.NDArray[np.int32]) -> Integers:
        """(n, i) integers -> (n, o) integers."""
        out = np.empty((len(x), self.outputs), np.int64)
        for start in range(0, len(x), SLICE_ROWS):
            source = np.clip(x[start : start + SLICE_ROWS], -self.clip, self.clip).astype(np.float64)
            h = source
            for layer in self.hidden:
                h = np.clip(layer(h), 0.0, float(self.cap))
            out[start : start + SLICE_ROWS] = self.output(
                np.concatenate([h, source], axis=1) if self.hidden else source
            )
        return out

    def numbers(self) -> Integers:
        """All that the network is, as non-negative numbers; what `read` reads."""
        parts: list[npt.ArrayLike] = [[self.inputs, self.clip, self.cap, len(self.hidden)]]
        for layer in (*self.hidden, self.output):
            parts += [[len(layer.bias), layer.shift], zigzag(layer.weights.ravel()), zigzag(layer.bias)]
        return np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])

    @classmethod
    def read(cls, numbers: "Cursor") -> "IntegerNetwork":
        """Invert `numbers`. Raises CorruptFileError on what is no network."""
        inputs, clip, cap, depth = numbers.take(4).tolist()
        width, layers = inputs, []
        for index in range(depth + 1):
            out, shift = numbers.take(2).tolist()
            if out < 1:
                raise CorruptFileError("integer network: a layer without outputs")
            if index == depth and depth:
                width += inputs
            weights = unzigzag(numbers.take(out * width)).reshape(out, width)
            layers.append(Linear(weights, unzigzag(numbers.take(out)), shift))
            width = out
        return cls(inputs, clip, cap, tuple(layers[:-1]), layers[-1])


class Cursor:
    """Reads an array of numbers from its front."""

    def __init__(self, numbers: npt.NDArray[np.uint64]) -> None:
        if (numbers >> np.uint64(62)).any():
            raise CorruptFileError("integer network: a number larger than any of ours")
        self._numbers, self._at = numbers.astype(np.int64), 0

    def take(self, count: int) -> Integers:
        """The next numbers. Raises CorruptFileError where there are not so many."""
        if count > self._numbers.size - self._at:
            raise CorruptFileError("integer network: damaged or truncated")
        self._at += count
        return self._numbers[self._at - count : self._at]

    def finish(self) -> None:
        """Raise CorruptFileError where numbers are left."""
        if self._at != self._numbers.size:
            raise CorruptFileError("integer network: numbers left over")


def _check_width(layer: Linear, width: int) -> None:
    if layer.weights.shape[1] != width:
        raise CorruptFileError(f"integer network: a layer of {layer.weights.shape[1]} inputs gets {width}")

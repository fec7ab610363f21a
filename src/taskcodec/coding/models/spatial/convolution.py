"""Convolutions that compute in integers: whoever runs them, and however, gets the same numbers.

    x (n, h, w, i) --zeros around, every place's k x k neighbours @ W + b >> shift--> (n, h', w', o)

A stride of 2 keeps every second place, from the first on: h' = ceil(h / 2). To grow by 2 the outputs of a place are
shuffled to its four: channel (a * 2 + b) * o' + c of place (y, x) becomes channel c of place (2 y + a, 2 x + b), and
what is beyond the size asked for is cut off.

As in `integer_network`, products and sums are taken in float64 by whatever BLAS there is; all are integers below
2**53, proven from the weights and the bounds on inputs when a stack is made: so order, threads, batch and machine do
not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.integer_network import EXACT, MAX_INPUT, MAX_SHIFT, Cursor, Integers
from taskcodec.coding.packed import unzigzag, zigzag
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError

MAX_KERNEL = 7
MAX_CHANNELS = 1 << 13
MAX_DEPTH = 16
SLICE_VALUES = 1 << 21
"""Neighbours are laid out for so many numbers at a time."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Convolution:
    """See the module.

    Attributes:
        weights: (o, k, k, i) int64, k odd.
        bias: (o,) int64.
        shift: 0 to MAX_SHIFT.
        stride: 1 or 2.
        grow: 1 or 2; with 2 the o outputs are those of four places.
    """

    weights: Integers
    bias: Integers
    shift: int
    stride: int = 1
    grow: int = 1

    def __post_init__(self) -> None:
        w, b = self.weights, self.bias
        if w.ndim != 4 or b.shape != w.shape[:1] or w.dtype != np.int64 or b.dtype != np.int64:
            raise CorruptFileError("convolution: weights and bias do not fit each other")
        if w.shape[1] != w.shape[2] or w.shape[1] % 2 == 0 or w.shape[1] > MAX_KERNEL:
            raise CorruptFileError(f"convolution: a kernel of {w.shape[1]} x {w.shape[2]} places")
        if not (1 <= len(w) <= MAX_CHANNELS and w.shape[3] <= MAX_CHANNELS and 0 <= self.shift <= MAX_SHIFT):
            raise CorruptFileError("convolution: channels or a shift that none of ours has")
        if not (self.stride in (1, 2) and self.grow in (1, 2) and len(b) % self.grow**2 == 0):
            raise CorruptFileError("convolution: a stride or growth that none of ours has")

    @property
    def inputs(self) -> int:
        """i."""
        return int(self.weights.shape[3])

    @property
    def outputs(self) -> int:
        """Channels of what it gives."""
        return len(self.bias) // self.grow**2

    @cached_property
    def _matrix(self) -> Values:
        return np.ascontiguousarray(self.weights.reshape(len(self.bias), -1).T, dtype=np.float64)

    def magnitudes(self, reach: float) -> Values:
        """(o,) what no sum exceeds for inputs of at most this magnitude."""
        weights = np.abs(self.weights.astype(np.float64)).reshape(len(self.bias), -1)
        return np.asarray(weights.sum(axis=1) * reach + np.abs(self.bias.astype(np.float64)))

    def sums(self, x: Values) -> Values:
        """(n, h, w, i) integers -> (n, h', w', o) sums, neither shifted nor shuffled."""
        k, s = self.weights.shape[1], self.stride
        if k == 1 and s == 1:
            return np.asarray(x @ self._matrix + self.bias)
        n, i = len(x), self.inputs
        around = ((0, 0), (k // 2, k // 2), (k // 2, k // 2), (0, 0))
        near = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), (k, k), axis=(1, 2))[:, ::s, ::s]
        near = near.transpose(0, 1, 2, 4, 5, 3)
        height, width = near.shape[1:3]
        out = np.empty((n, height, width, len(self.bias)))
        rows = min(height, max(1, SLICE_VALUES // max(1, width * k * k * i)))
        samples = max(1, SLICE_VALUES // max(1, rows * width * k * k * i))
        for sample in range(0, n, samples):
            for y in range(0, height, rows):
                part = near[sample : sample + samples, y : y + rows]
                sums = part.reshape(-1, k * k * i) @ self._matrix + self.bias
                out[sample : sample + samples, y : y + rows] = sums.reshape(*part.shape[:3], -1)
        return out

    def __call__(self, x: Values, size: tuple[int, int] | None = None) -> Values:
        """(n, h, w, i) integers -> (n, h', w', outputs) integers; `size` is (h', w') where it grows."""
        out = np.floor(self.sums(x) * 2.0**-self.shift)
        if self.grow == 1:
            return np.asarray(out)
        n, h, w, _ = out.shape
        places = out.reshape(n, h, w, 2, 2, self.outputs).transpose(0, 1, 3, 2, 4, 5)
        found = places.reshape(n, 2 * h, 2 * w, self.outputs)
        return found if size is None else found[:, : size[0], : size[1]]

    def numbers(self) -> Integers:
        """All that it is, as non-negative numbers; what `read` reads."""
        head = [len(self.bias), self.weights.shape[1], self.shift, self.stride, self.grow]
        return np.concatenate([head, zigzag(self.weights.ravel()), zigzag(self.bias)]).astype(np.int64)

    @classmethod
    def read(cls, numbers: Cursor, inputs: int) -> "Convolution":
        """Invert `numbers`. Raises CorruptFileError on what is no convolution of so many inputs."""
        out, k, shift, stride, grow = numbers.take(5).tolist()
        if out > MAX_CHANNELS or k > MAX_KERNEL or inputs > MAX_CHANNELS:
            raise CorruptFileError("convolution: damaged")
        weights = unzigzag(numbers.take(out * k * k * inputs)).reshape(out, k, k, inputs)
        return cls(weights, unzigzag(numbers.take(out)), shift, stride, grow)


@dataclass(frozen=True, eq=False)
class Stack:
    """Convolutions one after the other; between them values are clipped to 0 ... cap.

    Attributes:
        reach: no input's magnitude is above it; `clip` makes it so.
        cap: see above.
        layers: at least one.
    """

    reach: int
    cap: int
    layers: tuple[Convolution, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.reach <= MAX_INPUT and 0 <= self.cap <= MAX_INPUT):
            raise CorruptFileError("convolutions: bounds that none of ours has")
        if not 1 <= len(self.layers) <= MAX_DEPTH:
            raise CorruptFileError(f"convolutions: {len(self.layers)} of them in a row")
        reach, width = self.reach, self.inputs
        for layer in self.layers:
            if layer.inputs != width:
                raise CorruptFileError(f"convolutions: one of {layer.inputs} inputs gets {width}")
            check_exact(layer.magnitudes(reach))
            reach, width = self.cap, layer.outputs

    @property
    def inputs(self) -> int:
        """Channels that it reads."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Channels that it gives."""
        return self.layers[-1].outputs

    @property
    def widest(self) -> int:
        """Most channels at any place on the way."""
        return max(self.inputs, *(layer.outputs for layer in self.layers))

    def __call__(self, x: Values | Symbols, sizes: Sequence[tuple[int, int]] = ()) -> Values:
        """(n, h, w, inputs) integers -> what the last layer gives, not clipped.

        Args:
            x: clipped to -reach ... reach.
            sizes: (h, w) of what each layer that grows should give, in order.
        """
        values, left = np.clip(x, -self.reach, self.reach).astype(np.float64), list(sizes)
        for index, layer in enumerate(self.layers):
            values = values if index == 0 else np.clip(values, 0.0, float(self.cap))
            values = layer(values, left.pop(0) if layer.grow > 1 and left else None)
        return values

    def features(self, x: Values | Symbols, sizes: Sequence[tuple[int, int]] = ()) -> Values:
        """The same, clipped to 0 ... cap as between layers."""
        return np.clip(self(x, sizes), 0.0, float(self.cap))

    def numbers(self) -> Integers:
        """All that it is, as non-negative numbers; what `read` reads."""
        head = np.array([self.inputs, self.reach, self.cap, len(self.layers)], np.int64)
        return np.concatenate([head, *(layer.numbers() for layer in self.layers)])

    @classmethod
    def read(cls, numbers: Cursor) -> "Stack":
        """Invert `numbers`. Raises CorruptFileError on what is no stack."""
        width, reach, cap, depth = numbers.take(4).tolist()
        if depth > MAX_DEPTH:
            raise CorruptFileError("convolutions: damaged")
        layers: list[Convolution] = []
        for _ in range(depth):
            layers.append(Convolution.read(numbers, width))
            width = layers[-1].outputs
        return cls(reach, cap, tuple(layers))


def check_exact(magnitudes: Values) -> None:
    """Raise CorruptFileError unless sums of these magnitudes are exact in float64."""
    if not (magnitudes < EXACT).all():
        raise CorruptFileError("convolutions: sums that a double cannot hold exactly")

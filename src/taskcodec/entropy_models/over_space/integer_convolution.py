"""Convolutions that are trained in floats and then coded with in integers, as `integer_network` does for vectors.

    x --clip--> W_1 * x + b_1 --round down to 2^-8, clip to 0 ... 256--> h_1 ... --> W_L * h + b_L (real)

Weights and inner values are rounded, forward, to the fixed-point numbers that coding will hold, and gradients pass
straight through (Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", CVPR 2018).
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.group import Checkerboard
from taskcodec.entropy_models.integer_network import CAP, CLIP, INNER_BITS, LARGEST_WEIGHT, WEIGHT_BITS
from taskcodec.quantization.straight_through import pass_through

LEAST_UNIT = 0.5
"""Of symbols that are rarely anything but 0."""
OUTPUT_GAIN = 0.1
"""What is small at first lets a conditional model start as an unconditional one."""


def inner(h: Tensor) -> Tensor:
    """Sums of a layer -> what the next reads."""
    return pass_through(torch.floor(h * 2**INNER_BITS) * 2.0**-INNER_BITS, h).clamp(0, CAP * 2.0**-INNER_BITS)


class RoundedConvolution(nn.Module):
    """k x k convolution with rounded weights; W starts uniform within gain / sqrt(inputs of a sum), b at zero.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: k, odd.
        stride: 1 or 2.
        grow: 1 or 2; with 2 each place gives four, and what is beyond the size asked for is cut off.
        gain: see above.
        weight_bits: weights are multiples of 2**-weight_bits; fewer take fewer bytes.
    """

    units: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        grow: int = 1,
        gain: float = 1.0,
        weight_bits: int = WEIGHT_BITS,
    ) -> None:
        super().__init__()
        start = 2 * torch.rand((outputs * grow**2, inputs, kernel, kernel)) - 1
        self.weight = nn.Parameter(gain * start / math.sqrt(max(1, inputs) * kernel**2))
        self.bias = nn.Parameter(torch.zeros(outputs * grow**2))
        self.stride, self.grow, self.weight_bits = stride, grow, weight_bits
        self.register_buffer("units", None)

    def measure(self, deviations: Tensor) -> None:
        """Take (inputs,) standard deviations as the units of what it reads: so wide inputs do not drown narrow ones."""
        self.units = (1 / deviations.clamp_min(LEAST_UNIT))[:, None, None]

    @property
    def weights(self) -> Tensor:
        """Of inputs as they are."""
        return self.weight if self.units is None else self.weight * self.units

    def integers(self) -> Tensor:
        """The weights in units of 2**-weight_bits."""
        return torch.round(self.weights.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) * 2**self.weight_bits)

    def forward(self, x: Tensor, size: Sequence[int] | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h', w')."""
        weight = pass_through(self.integers() * 2.0**-self.weight_bits, self.weights)
        out: Tensor = nn.functional.conv2d(x, weight, self.bias, self.stride, self.weight.shape[2] // 2)
        if self.grow == 1:
            return out
        n, _, h, w = out.shape
        out = out.reshape(n, 2, 2, -1, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, -1, 2 * h, 2 * w)
        return out if size is None else out[:, :, : size[0], : size[1]]

    @torch.no_grad()
    def export(self, fraction: int, parts: Sequence[int] | None = None) -> Convolution:
        """The same in integers.

        Args:
            fraction: inputs are multiples of 2**-fraction.
            parts: each sum is to be rounded to the nearest multiple of 1 / parts; None: an inner layer's output.
        """
        weights, bias = exact(self.integers()).transpose(0, 2, 3, 1), exact(self.bias)
        unit = fraction + self.weight_bits
        whole = np.rint(bias * 2.0**unit).astype(np.int64)
        if parts is None:
            return Convolution(weights.astype(np.int64), whole, unit - INNER_BITS, self.stride, self.grow)
        factors = np.asarray(parts, dtype=np.int64)
        whole = whole * factors + (1 << (unit - 1))
        scaled = weights.astype(np.int64) * factors[:, None, None, None]
        return Convolution(scaled, whole, unit, self.stride, self.grow)


class RoundedCheckerboard(nn.Module):
    """A convolution over the neighbours of the other colour; see `taskcodec.coding.models.spatial.group`.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: k, odd.
    """

    odd: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = RoundedConvolution(inputs, outputs, kernel)
        self.register_buffer("odd", (torch.arange(kernel**2) % 2).reshape(kernel, kernel).float(), persistent=False)

    def forward(self, symbols: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w) sums, zero at anchors."""
        own = self.convolution
        weight = pass_through(own.integers() * 2.0**-WEIGHT_BITS, own.weights) * self.odd
        pad = weight.shape[2] // 2
        out = nn.functional.conv2d(symbols.clamp(-CLIP, CLIP), weight, own.bias, padding=pad)
        return out * others(symbols)

    @torch.no_grad()
    def export(self, fraction: int) -> Checkerboard:
        """The same in integers, to be added to sums of inputs that are multiples of 2**-fraction."""
        weights = exact(self.convolution.integers()).transpose(0, 2, 3, 1)
        taps = weights.reshape(len(weights), -1, weights.shape[3])[:, 1::2].astype(np.int64) << fraction
        bias = np.rint(exact(self.convolution.bias) * 2.0 ** (fraction + WEIGHT_BITS)).astype(np.int64)
        return Checkerboard(np.ascontiguousarray(taps), bias, CLIP)


class RoundedStack(nn.Module):
    """Convolutions one after the other over symbols or side information.

    Args:
        layers: at least one.
        input_bits: integer inputs are multiples of 2**-input_bits of what the first layer is trained on.
    """

    def __init__(self, *layers: RoundedConvolution, input_bits: int = 0) -> None:
        super().__init__()
        self.input_bits = input_bits
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, sizes: Sequence[Sequence[int]] = ()) -> Tensor:
        """(n, inputs, h, w) numbers near integers -> what the last layer sums up.

        Args:
            x: clipped.
            sizes: (h, w) of what each layer that grows should give, in order.
        """
        h, left = x.clamp(-CLIP, CLIP) * 2.0**-self.input_bits, list(sizes)
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, RoundedConvolution)
            h = layer(inner(h) if index else h, left.pop(0) if layer.grow > 1 else None)
        return h

    def export(self, parts: Sequence[int] | None = None) -> Stack:
        """The same in integers; `parts` as in `RoundedConvolution.export`, of the last layer."""
        last, found = len(self.layers) - 1, []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, RoundedConvolution)
            found.append(layer.export(INNER_BITS if index else self.input_bits, parts if index == last else None))
        return Stack(CLIP, CAP, tuple(found))


def others(like: Tensor) -> Tensor:
    """(h, w) one where a place is no anchor, for a tensor (..., h, w)."""
    h, w = like.shape[-2:]
    rows, columns = torch.arange(h, device=like.device), torch.arange(w, device=like.device)
    return ((rows[:, None] + columns) % 2).to(like.dtype)


def exact(values: Tensor) -> npt.NDArray[np.float64]:
    """A parameter as doubles."""
    return np.asarray(values.detach().cpu().double().numpy())

"""Networks that are trained in floats and then coded with in integers.

Weights and inner values are rounded, forward, to the fixed-point numbers that `taskcodec.coding.IntegerNetwork` will
hold, and gradients pass straight through (Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018).

    x --clip--> W_1 x + b_1 --round down to 2^-8, clip to 0 ... 256--> h_1 ... --W [h_L; x] + b--> out (real)
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding import IntegerNetwork, Linear
from taskcodec.quantization.straight_through import pass_through

WEIGHT_BITS = 12
"""Weights are multiples of 2**-WEIGHT_BITS."""
INNER_BITS = 8
"""Inner values are multiples of 2**-INNER_BITS."""
LARGEST_WEIGHT = 32.0
CAP = (1 << 16) - 1
"""The largest inner value, as an integer."""
CLIP = (1 << 12) - 1
"""Inputs are clipped to this magnitude."""


class RoundedLinear(nn.Module):
    """W x + b with rounded weights; W starts uniform within gain / sqrt(inputs), b at zero."""

    def __init__(self, inputs: int, outputs: int, gain: float, generator: torch.Generator | None) -> None:
        super().__init__()
        start = 2 * torch.rand((outputs, inputs), generator=generator) - 1
        self.weight = nn.Parameter(gain * start / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def integers(self) -> Tensor:
        """The weights in units of 2**-WEIGHT_BITS."""
        return torch.round(self.weight.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) * 2**WEIGHT_BITS)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out)."""
        weight = pass_through(self.integers() * 2.0**-WEIGHT_BITS, self.weight)
        return nn.functional.linear(x, weight, self.bias)


class TrainableNetwork(nn.Module):
    """See the module.

    Args:
        inputs: width of x.
        hidden: widths of the inner layers, may be none: then the network is linear.
        outputs: width of the result.
        generator: draws the initial weights.
        input_bits: integer inputs are multiples of 2**-input_bits of what the network is trained on, at most
            INNER_BITS.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        generator: torch.Generator | None = None,
        input_bits: int = 0,
    ) -> None:
        super().__init__()
        self.input_bits = input_bits
        self.hidden, width = nn.ModuleList(), inputs
        for size in hidden:
            self.hidden.append(RoundedLinear(width, size, 1.0, generator))
            width = size
        # Small at first: a conditional model then starts as an unconditional one.
        self.output = RoundedLinear(width + (inputs if hidden else 0), outputs, 0.1, generator)
        self.inputs = inputs

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) numbers near integers -> (n, outputs)."""
        largest = CLIP * 2.0**-self.input_bits
        x = x.clamp(-largest, largest)
        h = x
        for layer in self.hidden:
            h = layer(h)
            h = pass_through(torch.floor(h * 2**INNER_BITS) * 2.0**-INNER_BITS, h).clamp(0, CAP * 2.0**-INNER_BITS)
        out: Tensor = self.output(torch.cat([h, x], dim=1) if len(self.hidden) else x)
        return out

    @torch.no_grad()
    def export(self, offset: Tensor, gain_bits: Sequence[int], added: Tensor) -> IntegerNetwork:
        """The network that computes round(2**gain_bits * (out(x + offset) + added)) from integers x.

        Args:
            offset: (inputs,) what is added to an integer input, in the units that this network was trained in.
            gain_bits: (outputs,) units of the results.
            added: (outputs,) added to the results.
        """
        hidden, fraction = [], self.input_bits
        for index, layer in enumerate(self.hidden):
            weights, bias = _exact(layer)
            if index == 0:
                bias = bias + weights @ _double(offset) * 2.0**-WEIGHT_BITS
            # Sums are in units of 2**-(fraction + WEIGHT_BITS).
            scaled = np.rint(bias * 2.0 ** (fraction + WEIGHT_BITS)).astype(np.int64)
            hidden.append(Linear(weights.astype(np.int64), scaled, fraction + WEIGHT_BITS - INNER_BITS))
            fraction = INNER_BITS
        weights, bias = _exact(self.output)
        of_inputs = weights[:, weights.shape[1] - self.inputs :]
        bias = bias + of_inputs @ _double(offset) * 2.0**-WEIGHT_BITS + _double(added)
        shift = fraction + WEIGHT_BITS
        units = np.full(weights.shape[1], 1, np.int64)
        units[weights.shape[1] - self.inputs :] <<= fraction - self.input_bits  # which inner values have besides
        gains = np.left_shift(1, np.asarray(gain_bits, dtype=np.int64))
        whole = np.rint(bias * 2.0**shift).astype(np.int64) * gains + (1 << (shift - 1))
        output = Linear(weights.astype(np.int64) * units * gains[:, None], whole, shift)
        return IntegerNetwork(self.inputs, CLIP, CAP, tuple(hidden), output)


def _exact(layer: nn.Module) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    assert isinstance(layer, RoundedLinear)
    return _double(layer.integers()), _double(layer.bias)


def _double(values: Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(values.detach().cpu().double().numpy())

"""Transforms of overlapping blocks, as in JPEG but learned: a decoder of one or two layers, a strong analysis.

    x (n, 3, H, W) --k x k kernels, one step a stride--+--> y (n, latent, h, w)
                   --steps and blocks of `stacks`------'
    x_hat <--k x k kernels, one step a stride--------------+-- y_hat, and what lies below
          <--5x5 to twice the side-- ReLU <--stride / 2 ---'   (the second layer, where there is one)

Yang and Mandt, "Computationally-efficient neural image compression with shallow decoders" (ICCV 2023), section 3: a
decoder that costs as little as JPEG's loses little where analysis and entropy model are strong. What decodes is a sum
of learned basis pictures; so that a training starts as a Karhunen-Loeve transform, the analysis has such a sum too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from taskcodec.transforms.networks.pictures.blocks import double
from taskcodec.transforms.networks.pictures.stacks import PictureAnalysis


class BlockMap(nn.Module):
    """gain * (W * x) + bias at each place, or its transpose; weights near 1 / GAIN, for optimizers that do not scale.

    Args:
        inputs, outputs: channels.
        kernel: k, even, from the stride to four times it; what is more, overlaps.
        stride: pixels between two places: 4, 8, 16 or 32.
        transposed: from places to pixels.
    """

    gain: torch.Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, transposed: bool) -> None:
        super().__init__()
        if not 4 <= stride <= MAX_STRIDE or stride & (stride - 1):
            raise ValueError(f"blocks have a stride of 4, 8, 16 or {MAX_STRIDE}, found {stride}")
        if not stride <= kernel <= 4 * stride or kernel % 2:
            raise ValueError(f"kernel must be even, and from {stride} to {4 * stride}, found {kernel}")
        kind: type[nn.Conv2d | nn.ConvTranspose2d] = nn.ConvTranspose2d if transposed else nn.Conv2d
        self.map = kind(inputs, outputs, kernel, stride, (kernel - stride) // 2, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))
        self.register_buffer("gain", torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self._blocks(x) if isinstance(self.map, nn.ConvTranspose2d) else self.map(x)
        return torch.as_tensor(found * self.gain + self.bias)

    def _blocks(self, y: torch.Tensor) -> torch.Tensor:
        """What the transposed convolution gives, as one product and a sum: a third of its time on a processor."""
        kernel, stride, (h, w) = self.map.kernel_size[0], self.map.stride[0], y.shape[2:]
        blocks = self.map.weight.flatten(1).T @ y.flatten(2)
        edge = (kernel - stride) // 2
        return nn.functional.fold(blocks.float(), (h * stride, w * stride), kernel, padding=edge, stride=stride)

    @torch.no_grad()
    def set(self, basis: torch.Tensor, gain: float, bias: torch.Tensor) -> None:
        """Take (m, c, stride, stride) blocks as the middle of the kernels, the first m; what is around them is 0."""
        stride = self.map.stride[0]
        edge = (self.map.kernel_size[0] - stride) // 2
        self.map.weight.zero_()
        self.map.weight[: len(basis), :, edge : edge + stride, edge : edge + stride] = basis / GAIN
        self.gain.fill_(gain * GAIN)
        self.bias.copy_(bias[:, None, None])


MAX_STRIDE = 32
GAIN = 0.03
"""Elements of an orthonormal basis of 16 x 16 pixels in three colours are about 0.04, weights about 1: so one learning
rate serves them and the networks of an entropy model."""


class BlockAnalysis(nn.Module):
    """g_a: (n, 3, H, W) pictures with values in [0, 1] -> (n, latent, ceil(H / stride), ceil(W / stride)).

    Args:
        widths, latent, blocks, narrow, attention: as of `stacks.PictureAnalysis`, which is added.
        kernel: of the sum of blocks.
    """

    def __init__(
        self, widths: Sequence[int], latent: int, blocks: int, narrow: int, attention: bool, kernel: int
    ) -> None:
        super().__init__()
        self.deep = PictureAnalysis(widths, latent, blocks, narrow, attention)
        self.stride = self.deep.stride
        self.linear = BlockMap(3, latent, kernel, self.stride, transposed=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.linear(x) + self.deep(x))


class BlockSynthesis(nn.Module):
    """g_s: (n, latent, h, w), and decoded latents of layers below -> (n, outputs, h * stride, w * stride).

    Args:
        latent: c.
        stride: pixels between two places.
        kernel: k, as of `BlockMap`; multiplications a pixel are k * k * c * outputs / stride / stride.
        inner: channels between the two layers of the second branch; 0 for none, so that all is linear.
        given: channels of the latents below that it sees beside its own, all of one stride; none by default.
        outputs: 3 for a picture; others for what a task reads.
    """

    def __init__(
        self, latent: int, stride: int, kernel: int, inner: int = 0, given: Sequence[int] = (), outputs: int = 3
    ) -> None:
        super().__init__()
        self.stride, self.inputs = stride, latent + sum(given)
        self.linear = BlockMap(self.inputs, outputs, kernel, stride, transposed=True)
        self.second = _second(self.inputs, inner, outputs, stride // 2) if inner else None

    def forward(self, y: torch.Tensor, below: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        """`below`: (n, given[i], h, w) each."""
        y = torch.cat([y, *below], dim=1) if below else y
        found = self.linear(y)
        return torch.as_tensor(found if self.second is None else found + self.second(y))


def _second(inputs: int, inner: int, outputs: int, half: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, inner, half, half), nn.ReLU(), double(inner, outputs))


BLOCKS: Mapping[str, Any] = {
    "widths": (32, 64, 96),
    "latent": 192,
    "blocks": 1,
    "narrow": 2,
    "attention": False,
    "kernel": 20,
}
BLOCKS_SYNTHESIS: Mapping[str, Any] = {"latent": 192, "stride": 16, "kernel": 20}
"""Sizes that a codec has where it names no others."""


def usual_kernel(stride: int) -> int:
    """Where none is named: an eighth of a block's side, or a pixel, beyond each of its edges."""
    return stride + 2 * max(1, stride // 8)

"""What a code leaves open of a picture, drawn by noise at every size of detail, to be added to the faithful picture.

    y, below --double--> --f(., noise)--> --double--> --f(., noise)--> ... --double--> --f(., noise)--> 3x3 --> grain
                             stride / 2                   stride / 4                       pixels

Noise that enters at the latent's places alone has to become all grain between them in a few layers; here each step has
its own, as in Karras, Laine and Aila, "A style-based generator architecture for generative adversarial networks"
(CVPR 2019, section 3.2), and what it does there follows from what else is known at that place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from taskcodec.transforms.networks.pictures.blocks import Residual, double
from taskcodec.transforms.networks.pictures.stacks import PictureSynthesis

START = 0.1
"""What is added starts so much smaller than it otherwise would."""


class NoisyResidual(nn.Module):
    """x --1x1 of x and noise, ReLU, 3x3, ReLU, 1x1--> + x."""

    def __init__(self, width: int, noise: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(width + noise, width, 1)
        self.look = nn.Conv2d(width, width, 3, 1, 1)
        self.leave = smaller(nn.Conv2d(width, width, 1))

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.enter(torch.cat([x, noise], dim=1)), inplace=True)
        y = F.relu(self.look(y), inplace=True)
        return x + torch.as_tensor(self.leave(y))


class GrainSynthesis(nn.Module):
    """(n, latent, h, w), decoded latents of layers below, and noise -> (n, 3, h * stride, w * stride) to be added.

    Args:
        widths, latent, blocks, narrow: as of `stacks.PictureSynthesis`; attention is not taken.
        given: channels of the latents below, and of the noise behind them: that of all steps, `noise_columns` of them.
        tail: channels at the picture's own resolution.
        noise: channels of it at each place of each step.
        grains: blocks of a step that read it.
    """

    def __init__(
        self,
        widths: Sequence[int],
        latent: int,
        blocks: int,
        narrow: int,
        given: Sequence[int],
        tail: int,
        noise: int,
        grains: int,
    ) -> None:
        super().__init__()
        self.stride, self.noise, self.inputs = 2 ** (len(widths) + 1), noise, latent + sum(given)
        if given[-1] != noise_columns(self.stride, noise):
            raise ValueError(f"noise of {given[-1]} channels, {noise_columns(self.stride, noise)} expected")
        outwards = [*widths[::-1], tail]
        self.steps = nn.ModuleList()
        for before, after in zip([latent + sum(given[:-1]), *outwards], outwards, strict=False):
            self.steps.append(double(before, after))
            self.steps.extend(NoisyResidual(after, noise) for _ in range(grains))
            if len(self.steps) < (1 + grains + blocks) * len(widths):
                self.steps.extend(Residual(after, narrow) for _ in range(blocks))
        self.leave = smaller(nn.Conv2d(tail, 3, 3, 1, 1))

    def forward(self, y: torch.Tensor, below: Sequence[torch.Tensor]) -> torch.Tensor:
        """`below`: (n, given[i], h, w) each, the noise last."""
        *seen, noise = below
        x, side, left = torch.cat([y, *seen], dim=1), 1, noise
        own = noise
        for step in self.steps:
            if isinstance(step, nn.ConvTranspose2d):
                x, side = step(x), 2 * side
                own, left = left[:, : self.noise * side**2], left[:, self.noise * side**2 :]
                own = F.pixel_shuffle(own, side)
            else:
                x = step(x, own) if isinstance(step, NoisyResidual) else step(x)
        return torch.as_tensor(self.leave(x))

    @torch.no_grad()
    def start_from(self, g_s: PictureSynthesis) -> None:
        """Take the weights of its layers as far as they are of the same kind and shape, from the latent on."""
        for own, found in zip((s for s in self.steps if not isinstance(s, NoisyResidual)), g_s.layers, strict=False):
            there = found.state_dict()
            if {key: w.shape for key, w in own.state_dict().items()} != {key: w.shape for key, w in there.items()}:
                return
            own.load_state_dict(there)


GRAIN: Mapping[str, Any] = {
    "widths": (24, 48, 96),
    "latent": 192,
    "blocks": 1,
    "narrow": 1,
    "tail": 16,
    "noise": 4,
    "grains": 2,
}
"""Sizes that it has where none are named."""


def noise_columns(stride: int, noise: int) -> int:
    """Channels of noise at the latent's places, of which each step to pixels every `stride` gets `noise` a place."""
    return noise * sum(1 << 2 * step for step in range(1, stride.bit_length()))


def smaller(layer: nn.Conv2d) -> nn.Conv2d:
    """Start a layer near nothing, and without bias."""
    with torch.no_grad():
        layer.weight *= START
        if layer.bias is not None:
            layer.bias.zero_()
    return layer

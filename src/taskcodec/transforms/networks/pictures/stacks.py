"""Analysis and synthesis of pictures of any size: steps that halve the side, residual blocks between them.

    x (n, 3, H, W) --5x5 /2, blocks--> --5x5 /2, blocks--> --5x5 /2, blocks--> --5x5 /2--> y (n, latent, h, w)
    x_hat (n, outputs, h * stride, w * stride) <-- the same steps backwards <-- y_hat, and what lies below

h = ceil(H / stride) and w = ceil(W / stride), for odd sizes too. Two sizes of one kind of network:

- `elic`: He et al., "ELIC: Efficient learned image compression with unevenly grouped space-channel contextual adaptive
  coding" (CVPR 2022), section 3.3: three residual bottlenecks after each step but the last, attention at a quarter and
  a sixteenth of the side. 192 and 320 channels; 64 and 96 without attention cost a tenth.
- `light`: that of de Andrade and Bajic, "Towards task-compatible compressible representations" (2024): channels 24,
  48, 192 and 192, blocks that are as wide inside as outside, no attention.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from taskcodec.transforms.networks.pictures.blocks import Attention, Residual, double, halve
from taskcodec.transforms.networks.pictures.informed import AnswerBranch, Answers

ATTENDED = (4, 16)
"""At these shares of the side there is attention."""


class PictureAnalysis(nn.Module):
    """g_a: (n, 3, H, W) pictures with values in [0, 1] -> (n, latent, ceil(H / stride), ceil(W / stride)).

    Args:
        widths: channels after each step but the last; the stride is 2 ** (len(widths) + 1).
        latent: c, channels of the latent.
        blocks: residual blocks after each step but the last.
        narrow: how many times narrower blocks are inside.
        attention: whether there is any.
        reads, classes, boxes: as of `informed.Answers`, which it then sees beside the picture; no classes: it does not.
    """

    def __init__(
        self,
        widths: Sequence[int],
        latent: int,
        blocks: int,
        narrow: int,
        attention: bool,
        reads: Sequence[int] = (),
        classes: int = 0,
        boxes: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side = 1
        for before, after in zip([3, *widths], [*widths, latent], strict=True):
            layers.append(halve(before, after))
            side *= 2
            if side < 2 ** (len(widths) + 1):
                layers += [Residual(after, narrow) for _ in range(blocks)]
            if attention and side in ATTENDED:
                layers.append(Attention(after, narrow))
        self.layers = nn.Sequential(*layers)
        self.stride = side
        self.told = AnswerBranch(Answers(reads, classes, boxes), widths, latent) if classes else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.layers(x)
        return torch.as_tensor(found if self.told is None else found + self.told(x))


class PictureSynthesis(nn.Module):
    """g_s: (n, latent, h, w), and decoded latents of layers below -> (n, outputs, h * stride, w * stride).

    Args:
        widths, latent, blocks, narrow, attention: as of the analysis that it mirrors.
        given: channels of the latents below that it sees beside its own, all of one stride; none by default.
        outputs: 3 for a picture; others for what a task reads.
    """

    def __init__(
        self,
        widths: Sequence[int],
        latent: int,
        blocks: int,
        narrow: int,
        attention: bool,
        given: Sequence[int] = (),
        outputs: int = 3,
    ) -> None:
        super().__init__()
        self.stride, self.inputs = 2 ** (len(widths) + 1), latent + sum(given)
        layers: list[nn.Module] = []
        side, inputs = self.stride, self.inputs
        if attention and side in ATTENDED:
            layers.append(Attention(inputs, narrow))
        for before, after in zip([inputs, *widths[::-1]], [*widths[::-1], outputs], strict=True):
            layers.append(double(before, after))
            side //= 2
            if attention and side in ATTENDED:
                layers.append(Attention(after, narrow))
            if side > 1:
                layers += [Residual(after, narrow) for _ in range(blocks)]
        self.layers = nn.Sequential(*layers)

    def forward(self, y: torch.Tensor, below: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        """`below`: (n, given[i], h, w) each."""
        return torch.as_tensor(self.layers(torch.cat([y, *below], dim=1) if below else y))


LIGHT: Mapping[str, Any] = {"widths": (24, 48, 192), "latent": 192, "blocks": 3, "narrow": 1, "attention": False}
ELIC: Mapping[str, Any] = {"widths": (192, 192, 192), "latent": 320, "blocks": 3, "narrow": 2, "attention": True}
PUBLISHED: Mapping[str, Mapping[str, Any]] = {"light": LIGHT, "elic": ELIC}
"""Sizes as published, of an analysis and of what mirrors it; a codec may have others."""

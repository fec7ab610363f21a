"""The network that chooses tables of a picture's latents, in floats and with gradients: the twin of its integers.

    latents (n, 1, h, w), the finest first --convolutions over 2 x 2 places--> ln(scale), mean of each symbol --> bits

`taskcodec.coding.models.overfitted` has the integers; both see the same numbers of decoded neighbours. Here all passes
of a level are computed at once, since the symbols are known: a place of the coarser latent has four of this.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad, pixel_shuffle, pixel_unshuffle

from taskcodec.coding.models.overfitted.context import MAGNITUDE_BITS, REACH, SELF_BITS
from taskcodec.coding.models.overfitted.plan import AROUND, NEAR, PASSES, SEEN
from taskcodec.entropy_models.over_space.mirrored_laplace import LEAST, MOST, laplace_bits
from taskcodec.quantization.straight_through import clip_inward

FARTHEST = float(REACH >> SELF_BITS)
"""Symbols are seen up to this."""
_IN_ORDER = [PASSES.index((y, x)) for y in (0, 1) for x in (0, 1)]
"""The pass of each of 2 x 2 places, row by row."""


def magnitudes(y: Tensor) -> Tensor:
    """log2(1 + 2 |y|), on straight lines between powers of two."""
    doubled = 1 + 2 * y.abs()
    whole = torch.floor(torch.log2(doubled.detach()))
    return whole + doubled * torch.exp2(-whole) - 1


def context_bits(latents: Sequence[Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    """(n, 1, h, w) symbols of each latent, or what is near them, the finest first, and weights by name -> (n,) bits."""
    passes, inner = len(PASSES), weights["near"].shape[0]
    near = torch.zeros(passes * inner * SEEN * passes * len(AROUND), device=weights["near"].device)
    near = near.index_put((_taps(inner).to(near.device),), weights["near"].flatten())
    near = near.view(passes * inner, SEEN * passes, 3, 3)
    coarser = weights["coarser"].reshape(passes * inner, SEEN, 3, 3)
    answer = weights["answer"].reshape(2 * passes, inner, 1, 1)
    total, above = torch.zeros(len(latents[0]), device=near.device), None
    for level in reversed(range(len(latents))):
        y = latents[level]
        h, w = y.shape[2:]
        seen = torch.cat([magnitudes(y), y.clamp(-FARTHEST, FARTHEST) * 2.0 ** (SELF_BITS - MAGNITUDE_BITS)], dim=1)
        whole = pixel_unshuffle(pad(seen, (0, w % 2, 0, h % 2)), 2)
        x = conv2d(whole, near, weights["near_bias"].flatten(), padding=1)
        x = x if above is None else x + conv2d(above, coarser, padding=1)
        out = conv2d(torch.relu(x), answer, weights["answer_bias"][level].flatten(), groups=passes)
        out = out.view(len(out), passes, 2, *out.shape[2:])[:, _IN_ORDER].transpose(1, 2).flatten(1, 2)
        log_scale, mean = pixel_shuffle(out, 2)[:, :, :h, :w].unbind(1)
        total = total + laplace_bits(y[:, 0], clip_inward(log_scale, LEAST, MOST), mean).sum(dim=(1, 2))
        above = seen
    return total


@cache
def _taps(inner: int) -> Tensor:
    """Where the weights of `near` (inner, SEEN, taps of all passes) lie in a convolution over 2 x 2 places, flat."""
    found = list[int]()
    for own in range(inner):
        for which in range(SEEN):
            for number, ((top, left), taps) in enumerate(zip(PASSES, NEAR, strict=True)):
                for down, right in taps:
                    (i, y), (j, x) = divmod(top + down, 2), divmod(left + right, 2)
                    channel = which * len(PASSES) + 2 * y + x
                    out = number * inner + own
                    found.append(((out * SEEN * len(PASSES) + channel) * 3 + i + 1) * 3 + j + 1)
    return torch.tensor(found)

"""A variational autoencoder of pictures with a chain of latents, in training; `freeze` makes whole numbers of it.

    x --q--> z_1 --q--> z_2 ... z_L       each a mean and a scale for every latent of the next level
    x <--p-- z_1 <--p-- z_2 ... z_L       the same of the level below, and of bytes the weights of a mixture

Kingma and Welling, "Auto-encoding variational Bayes" (ICLR 2014); a chain of levels as in "Bit-Swap" (Kingma, Abbeel,
Ho, ICML 2019). All networks are convolutions, so that their weights take few bytes, and are rounded in training as
they will be in the file. Latents are real in training, and whole numbers of bins in files: the finer, the more bits
bits-back takes, and gives back.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding.models.latent.growth import growth_of
from taskcodec.coding.models.latent.variational import Level, VariationalAutoencoder
from taskcodec.coding.symbol_model import Symbols
from taskcodec.entropy_models.gaussian import INDEX_BITS, SCALE_FLOOR, scale_index
from taskcodec.entropy_models.of_bytes.mixture import LOGIT_BITS, frozen_mixture, nats, started_tables
from taskcodec.entropy_models.over_space.integer_convolution import (
    OUTPUT_GAIN,
    RoundedConvolution,
    RoundedStack,
    exact,
)
from taskcodec.entropy_models.over_space.mirrored_gaussian import mirrored_bank

BIN_BITS = 3
"""Bins are 2**-BIN_BITS wide, where networks start from a deviation of 1; means of halves are not worth it."""
BYTE_BITS = 6
"""Bytes are read as multiples of 2**-BYTE_BITS."""
WEIGHT_BITS = 7
"""Of weights: finer ones take more bytes than they save."""
SCALES = 48
"""Indices of scales are below this: deviations are up to 39 bins."""


@dataclass(frozen=True)
class VariationalSizes:
    """Sizes of a `TrainableAutoencoder`.

    Attributes:
        levels: of each level, lowest first, how often its places are halved from those below, and its latents of a
            place.
        width: channels of the networks.
        components: of the mixture.
    """

    levels: tuple[tuple[int, int], ...] = ((2, 8),)
    width: int = 48
    components: int = 16


class Gaussian(NamedTuple):
    """Means and deviations in bins, each (n, c, h, w)."""

    mean: Tensor
    deviation: Tensor

    def drawn(self, generator: torch.Generator) -> Tensor:
        """(n, c, h, w) by chance."""
        return self.mean + self.deviation * torch.randn(self.mean.shape, generator=generator)

    def nats(self, prior: "Gaussian") -> Tensor:
        """(n,) the divergence from the other: what latents that are drawn by this one take net."""
        distance, ratio = (self.mean - prior.mean) / prior.deviation, self.deviation / prior.deviation
        return (0.5 * (distance**2 + ratio**2 - 1) - torch.log(ratio)).flatten(1).sum(1)


class TrainableAutoencoder(nn.Module):
    """See the module.

    Args:
        shape: (H, W, C) of the pictures.
        sizes: of the networks.
        share: (256,) how often each byte occurs, for the start.
    """

    def __init__(self, shape: tuple[int, int, int], sizes: VariationalSizes, share: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.shape, self.sizes = shape, sizes
        width, below, told = sizes.width, shape[2], shape[2] * sizes.components
        self.posteriors, self.generators, size = nn.ModuleList(), nn.ModuleList(), shape[:2]
        self.places: list[list[tuple[int, int]]] = []
        for number, (halvings, own) in enumerate(sizes.levels):
            up, down = _analysis(below, own, halvings, width, number == 0), _synthesis(own, told, halvings, width)
            _start(_last(up).bias, own)
            if number:
                _start(_last(down).bias, below)
            self.posteriors.append(up)
            self.generators.append(down)
            self.places.append([])
            for _ in range(halvings):
                self.places[-1].insert(0, size)
                size = -(-size[0] // 2), -(-size[1] // 2)
            below, told = own, 2 * own
        self.top = nn.Parameter(torch.zeros(told, *size))
        _start(self.top, below)
        self.tables = nn.Parameter(torch.tensor(started_tables(sizes.components, share), dtype=torch.float32))

    def forward(self, pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """(n, H, W, C) bytes as floats -> (n,) nats of them, and for each level (n,) nats of its latents."""
        below, told, posteriors = pictures.movedim(3, 1), [], []
        for up, down, places in zip(self.posteriors, self.generators, self.places, strict=True):
            posteriors.append(_gaussian(up(below)))
            below = posteriors[-1].drawn(generator)
            told.append(down(below, places))
        priors = [*map(_gaussian, told[1:]), _gaussian(self.top[None])]
        logits = told[0].movedim(1, 3).reshape(*pictures.shape, self.sizes.components)
        of_bytes = nats(logits, self.tables, pictures.long()).flatten(1).sum(1)
        return of_bytes, [q.nats(p) for q, p in zip(posteriors, priors, strict=True)]

    @torch.no_grad()
    def freeze(self, pictures: Symbols) -> VariationalAutoencoder:
        """The same in whole numbers; (n, H * W * C) bytes say how fast a chain of rows may grow."""
        levels, parts = [], [1 << LOGIT_BITS] * (self.shape[2] * self.sizes.components)
        for (_, own), up, down in zip(self.sizes.levels, self.posteriors, self.generators, strict=True):
            assert isinstance(up, RoundedStack)
            assert isinstance(down, RoundedStack)
            below, parts = parts, [1 << INDEX_BITS] * own + [1 << BIN_BITS] * own
            levels.append(Level(up.export(parts), down.export(below * _last(down).grow ** 2)))
        top = np.rint(np.moveaxis(exact(self.top), 0, 2) * np.array(parts)).astype(np.int64)
        found = VariationalAutoencoder(
            shape=self.shape,
            levels=tuple(levels),
            mixture=frozen_mixture(self.tables),
            bank=mirrored_bank(SCALES, phases=1),
            top=np.ascontiguousarray(top).reshape(-1, len(parts)),
        )
        return replace(found, growth=growth_of(found.bits_back, pictures, found.code_length(pictures)))


def _gaussian(told: Tensor) -> Gaussian:
    """(n, 2 c, h, w) what a network tells: logarithms of scales, and means."""
    log_scale, mean = told.chunk(2, dim=1)
    deviation = SCALE_FLOOR * torch.exp(scale_index(log_scale, SCALES) * 2.0**-INDEX_BITS)
    return Gaussian(mean * 2.0**BIN_BITS, deviation)


@torch.no_grad()
def _start(told: Tensor, channels: int) -> None:
    """Begin with deviations of 1, which is 2**BIN_BITS bins."""
    told.reshape(-1, 2, channels, *told.shape[1:])[:, 0] = np.log(2.0**BIN_BITS / SCALE_FLOOR)


def _convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, grow: int = 1, gain: float = 2.0
) -> RoundedConvolution:
    return RoundedConvolution(inputs, outputs, kernel, stride=stride, grow=grow, gain=gain, weight_bits=WEIGHT_BITS)


def _analysis(below: int, own: int, halvings: int, width: int, lowest: bool) -> RoundedStack:
    """From a level to means and scales of the next."""
    halving = [
        _convolution(width if number else below, width, 3 if number else 5, stride=2) for number in range(halvings)
    ]
    inner = _convolution(width if halvings else below, width, 3)
    last = _convolution(width, 2 * own, 1, gain=OUTPUT_GAIN)
    return RoundedStack(*halving, inner, last, input_bits=BYTE_BITS if lowest else BIN_BITS)


def _synthesis(own: int, told: int, halvings: int, width: int) -> RoundedStack:
    """From a level to what is told of the one below; places are doubled by convolutions that see one alone."""
    layers = [_convolution(own, width, 3)]
    for _ in range(halvings - 1):
        layers += [_convolution(width, width, 3), _convolution(width, width, 1, grow=2)]
    last = _convolution(width, told, 1, grow=2 if halvings else 1, gain=OUTPUT_GAIN)
    return RoundedStack(*layers, _convolution(width, width, 3), last, input_bits=BIN_BITS)


def _last(stack: RoundedStack) -> RoundedConvolution:
    found = stack.layers[-1]
    assert isinstance(found, RoundedConvolution)
    return found

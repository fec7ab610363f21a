"""The one interface of entropy models that are trained: what a training loop calls, whatever the model.

    y (n, k) --noise or rounding--> y_hat (n, k), bits (n,)        forward
    y (n, k) --freeze--> integer tables, centre (k,)               once, after training

In training mode a latent gets uniform noise, or straight-through rounding where `relaxation` says so, and the rate is
that of the noisy latent (Balle et al., ICLR 2018, section 3.1). In evaluation mode it is rounded, to centre + integers,
and the rate is that of the rounded latent: what the bits of files are compared with. Coding itself sees only the
frozen tables. No model here has parameters that ask for an optimiser of their own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding import SymbolModel
from taskcodec.quantization.noise import add_noise
from taskcodec.quantization.straight_through import round_through
from taskcodec.quantization.uniform import UniformQuantizer

Relaxation = Literal["noise", "straight-through"]


class Rated(NamedTuple):
    """A latent as decoders see it, (n, k), and its rate, (n,) bits a sample."""

    latent: Tensor
    bits: Tensor


@dataclass(frozen=True, eq=False)
class FrozenEntropyModel:
    """What coding needs of a trained model.

    Attributes:
        model: integer tables of the symbols round(y - centre).
        centre: (k,) float32, the latent that symbol 0 of each column stands for.
    """

    model: SymbolModel
    centre: npt.NDArray[np.float32]

    @property
    def quantizer(self) -> UniformQuantizer:
        """To the nearest whole number, and back to it."""
        return UniformQuantizer.unshifted(1.0, 0.5, self.model.plain, self.centre.size)


class EntropyModel(nn.Module, ABC):
    """A probability model of k columns of a latent, in units of the quantization step.

    Args:
        columns: k.
        relaxation: what a decoder gets to see in training: the noisy latent, or the rounded one with a
            straight-through gradient. The rate in training is the noisy latent's either way.
    """

    centre: Tensor

    def __init__(self, columns: int, relaxation: Relaxation = "noise") -> None:
        super().__init__()
        self.columns, self.relaxation = columns, relaxation
        self.register_buffer("centre", torch.zeros(columns))

    def forward(self, latent: Tensor, generator: torch.Generator | None = None) -> Rated:
        """(n, k) latent -> the latent as decoded and its bits; `generator` draws the noise."""
        if not self.training:
            rounded = torch.round(latent - self.centre) + self.centre
            return Rated(rounded, self.rate_bits(rounded))
        noisy = add_noise(latent, generator)
        decoded = noisy if self.relaxation == "noise" else round_through(latent, self.centre)
        return Rated(decoded, self.rate_bits(noisy, generator))

    @abstractmethod
    def rate_bits(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, k) noisy or rounded latents -> (n,) bits a sample, side information included."""

    @abstractmethod
    def calibrate(self, latent: Tensor) -> None:
        """Set `centre` from (n, k) latents of the data, so that rounding costs least; call it before evaluating."""

    @abstractmethod
    def freeze(self, latent: Tensor) -> FrozenEntropyModel:
        """Calibrate on (n, k) latents of the training data, and turn the model into integers."""

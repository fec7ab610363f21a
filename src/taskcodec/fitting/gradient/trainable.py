"""What a training trains, whatever it is: losses of a batch, and in the end a codec."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from taskcodec.codec import Codec


class Losses(NamedTuple):
    """Means over a batch: distortion in its own unit, bits a sample, and what is lowered."""

    distortion: Tensor
    rate_bits: Tensor
    loss: Tensor


class Trainable(nn.Module, ABC):
    """All that is trained, with its losses.

    Attributes:
        price: the share of beta that a bit costs at this step; the training sets it.
        least_gradient: Adam's epsilon: parameters whose gradients are smaller learn slower than the others.
        memory: Adam's two betas, of gradients and of their squares.
    """

    price = 1.0
    least_gradient = 1e-8
    memory = (0.9, 0.999)

    @abstractmethod
    def forward(self, *batch: Any) -> Losses:
        """A batch as the data set gives it -> its losses, with fresh views and noise."""

    @abstractmethod
    def entropy_parameters(self) -> Iterable[nn.Parameter]:
        """Those that learn at the entropy model's rate."""

    def logged(self) -> dict[str, Tensor]:
        """What the log tells of the last batch beside its losses."""
        return {}

    @abstractmethod
    def to_codec(self, provenance: Mapping[str, Any]) -> Codec:
        """The trained codec, frozen; `trained_bits`, its estimate of bits a sample, is added to the provenance."""

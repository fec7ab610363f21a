"""What an objective is: a distortion of the codes of augmented views, with the networks that only it needs."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn


class Seen(NamedTuple):
    """What a batch's distortion may look at, beside the codes.

    Attributes:
        views: as many augmented views (n, ...) of each sample as the objective reads.
        clean: (n, ...) the samples without augmentation.
        labels: (n,) their classes.
        ids: (n,) int64, what tells the samples apart.
    """

    views: Sequence[Tensor]
    clean: Tensor
    labels: Tensor
    ids: Tensor


class Objective(nn.Module):
    """A distortion, with what it learns."""

    views = 1
    """How many views of each sample it reads."""

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """(n, k) decoded latents of each view -> (n,) distortion."""
        raise NotImplementedError

    def logged(self) -> dict[str, Tensor]:
        """What a training's log tells of it."""
        return {}


class Reconstruction(Objective):
    """Those that reconstruct by a synthesis transform g_s: by default the squared error of the clean sample."""

    def __init__(self, g_s: nn.Module) -> None:
        super().__init__()
        self.g_s = g_s

    def distortion(self, codes: Sequence[Tensor], seen: Seen) -> Tensor:
        """(n,) what g_s makes of the code of one view, against what it should make of it."""
        return self.error(self.g_s(codes[0]).float(), self.target(seen))

    def target(self, seen: Seen) -> Tensor:
        """(n, ...) what is to be reconstructed."""
        return seen.clean

    def error(self, decoded: Tensor, target: Tensor) -> Tensor:
        """(n, ...), (n, ...) -> (n,) sum of squared differences."""
        return (decoded - target).square().flatten(1).sum(dim=1)

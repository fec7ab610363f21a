"""An adversary that sees pictures through a frozen backbone, and tells those that were drawn from real ones.

    drawn, faithful --maps--> --head--> score        drawn: at most -1 is right         real: at least 1 is right
    real, faithful  --maps--> --head--> score

The heads are small and learn soon, since the backbone knows already what pictures are made of (Sauer et al.,
"Projected GANs converge faster", NeurIPS 2021); they see what the faithful picture shows, so that only what is added is
judged. The loss is the hinge's (Lim and Ye, "Geometric GAN", 2017). Drawn pictures learn to please the heads in the
same step, by gradients that stop at the heads' weights, so that one optimizer serves both.
"""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.realism_recipe import JudgeChoice
from taskcodec.transforms.backbones.base import Backbone

WIDTH = 64
"""Channels of a head."""
LEAST_SIDE = 4
"""Maps with fewer places along a side are not looked at."""
FIRST_STRIDE = 2
"""Nor are maps with more places than every second pixel."""
LEAST_SPREAD = 1e-3


class Verdict(NamedTuple):
    """of_drawn: what the pictures that were drawn lose; own: what the heads lose."""

    of_drawn: Tensor
    own: Tensor


class Maps(nn.Module):
    """The maps of a frozen network at several resolutions: of each the last.

    Args:
        backbone: whose network has them.
        enlarge: pictures are made so many times larger first.
        side: of the pictures, in pixels.

    Raises:
        UsageError: a network without maps of two resolutions.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone, enlarge: int, side: int) -> None:
        super().__init__()
        if not isinstance(backbone.network, nn.Module):
            raise UsageError(f"judge.backbone: {backbone.spec.name} is no network of torch that gradients pass through")
        # In a tuple, so that checkpoints do not hold its weights.
        self.frozen, self.enlarge = (backbone.network.requires_grad_(False).eval(),), enlarge
        self.register_buffer("mean", _colours(backbone, backbone.preprocess.mean), persistent=False)
        self.register_buffer("std", _colours(backbone, backbone.preprocess.std), persistent=False)
        self.names = self._names(side)
        if len(self.names) < 2:
            raise UsageError(f"judge.backbone: {backbone.spec.name} has no maps at two resolutions for {side} pixels")

    @property
    def network(self) -> nn.Module:
        """The network."""
        return self.frozen[0]

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, 3, H, W) in [0, 1] -> maps (n, c, h, w), from fine to coarse."""
        found = self._run(x, self.names)
        return [found[name].float() for name in self.names]

    def _run(self, x: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """What modules of these names give, in the order in which they are done."""
        found = dict[str, Tensor]()

        def keeping(name: str) -> Callable[[nn.Module, object, object], None]:
            def keep(module: nn.Module, inputs: object, output: object) -> None:
                if isinstance(output, Tensor):
                    found[name] = output

            return keep

        modules = ((name, module) for name, module in self.network.named_modules() if name in names)
        hooks = [module.register_forward_hook(keeping(name)) for name, module in modules]
        try:
            self.network.to(x.device)((self._enlarged(x) - self.mean) / self.std)
        finally:
            for hook in hooks:
                hook.remove()
        return found

    def _enlarged(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=float(self.enlarge), mode="bilinear") if self.enlarge > 1 else x

    @torch.no_grad()
    def _names(self, side: int) -> list[str]:
        """The last module of each resolution that is looked at."""
        where = next(self.network.parameters()).device
        modules = dict(self.network.named_modules())
        found = self._run(torch.zeros(1, 3, side, side, device=where), modules)
        most = side * self.enlarge // FIRST_STRIDE
        maps = {
            name: values for name, values in found.items() if values.ndim == 4 and LEAST_SIDE <= values.shape[2] <= most
        }
        # Blocks give what they have come to; the convolutions in them are wider, and on their way.
        blocks = {name: values for name, values in maps.items() if any(modules[name].children())}
        several = len({values.shape[2] for values in blocks.values()}) > 1
        last = {values.shape[2]: name for name, values in (blocks if several else maps).items()}
        return [last[places] for places in sorted(last, reverse=True)]


def _colours(backbone: Backbone, values: Sequence[float]) -> Tensor:
    return torch.tensor(values, device=backbone.device).view(1, 3, 1, 1)


class Judge(nn.Module):
    """See the module. Raises UsageError as `Maps`."""

    def __init__(self, choice: JudgeChoice, backbone: Backbone, side: int) -> None:
        super().__init__()
        self.maps, self.weight = Maps(backbone, choice.enlarge, side), choice.weight
        with torch.no_grad():
            widths = [found.shape[1] for found in self.maps(self.maps.mean.expand(1, 3, side, side))]
        self.heads = nn.ModuleList(_head(2 * width) for width in widths)
        # Of the maps of the first batch: what makes numbers of all of them alike.
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))
        for number, width in enumerate(widths):
            self.register_buffer(f"centre_{number}", torch.zeros(1, width, 1, 1))
            self.register_buffer(f"spread_{number}", torch.ones(1, width, 1, 1))

    def forward(self, real: Tensor, drawn: Tensor, faithful: Tensor) -> Verdict:
        """(n, 3, H, W) each, in [0, 1]."""
        with torch.no_grad():
            known = self.maps(torch.cat([real, faithful]))
            if not self.seen:
                self._see([each[: len(real)] for each in known])
            true, kept = zip(*(each.chunk(2) for each in self._alike(known)), strict=True)
        found = self._alike(self.maps(drawn))
        self.heads.requires_grad_(False)
        of_drawn = -torch.stack([score.mean() for score in self._scores(found, kept)]).mean()
        self.heads.requires_grad_(True)
        right = [F.relu(1 - score).mean() for score in self._scores(true, kept)]
        wrong = [F.relu(1 + score).mean() for score in self._scores([each.detach() for each in found], kept)]
        return Verdict(of_drawn, torch.stack(right).sum() + torch.stack(wrong).sum())

    def _scores(self, found: Sequence[Tensor], kept: Sequence[Tensor]) -> list[Tensor]:
        return [head(torch.cat(both, dim=1)) for head, *both in zip(self.heads, found, kept, strict=True)]

    def _see(self, maps: Sequence[Tensor]) -> None:
        self.get_buffer("seen").fill_(True)
        for number, each in enumerate(maps):
            self.get_buffer(f"centre_{number}").copy_(each.mean((0, 2, 3), keepdim=True))
            self.get_buffer(f"spread_{number}").copy_(each.std((0, 2, 3), keepdim=True) + LEAST_SPREAD)

    def _alike(self, maps: Sequence[Tensor]) -> list[Tensor]:
        own = [(self.get_buffer(f"centre_{k}"), self.get_buffer(f"spread_{k}")) for k in range(len(maps))]
        return [(each - centre) / spread for each, (centre, spread) in zip(maps, own, strict=True)]


def _head(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(inputs, WIDTH, 3, 1, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(WIDTH, 1, 3, 1, 1)),
    )

"""The entropy model of latents with places, trained as it codes: integer lattice, rounded networks, fractional means.

    y --round--> y_hat --h_a--> z --round--> z_hat --h_s--> features
    features, groups of channels before, anchors among the neighbours --> index of a scale and a mean for each y
    bits = factorized density of z_hat + Gaussian conditional of y_hat

Minnen et al., "Joint autoregressive and hierarchical priors for learned image compression" (NeurIPS 2018); uneven
channel groups and a checkerboard: He et al., "ELIC" (CVPR 2022). Rounding passes gradients straight through, so the
rate that is lowered is the rate of files; means keep their fractions, since what is rounded is y and not y - mean.
`freeze` gives the same in integers: `taskcodec.coding.SpatialTables`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from taskcodec.coding import TABLE_BITS, SpatialTables, join_tables
from taskcodec.coding.models.spatial.choice import parts_of
from taskcodec.coding.models.spatial.group import SpatialGroup
from taskcodec.entropy_models.factorized import FactorizedDensity
from taskcodec.entropy_models.gaussian import (
    INDEX_BITS,
    MAX_LEVELS,
    SCALE_FLOOR,
    scale_index,
)
from taskcodec.entropy_models.integer_network import CAP, INNER_BITS
from taskcodec.entropy_models.model import Rated
from taskcodec.entropy_models.over_space.integer_convolution import (
    OUTPUT_GAIN,
    RoundedCheckerboard,
    RoundedConvolution,
    RoundedStack,
    inner,
)
from taskcodec.entropy_models.over_space.mirrored_gaussian import mirrored_bank, nearest_mean, table_bits
from taskcodec.entropy_models.over_space.outside_means import OutsideMeans
from taskcodec.errors import UsageError
from taskcodec.quantization.straight_through import round_through


@dataclass(frozen=True)
class SpatialOptions:
    """Sizes of a `SpatialEntropy`.

    Attributes:
        side: channels of z.
        hyper: width of the networks of z, and of the features that they give.
        groups: sizes of the channel groups; none: a twelfth, a quarter and the rest.
        checkerboard: whether each group is coded in two passes.
        context: width of the networks that give a group's scales and means.
        levels: scales are below this index, at most 64.
        phases: tables of a scale, at most 16, for fractions of means from 0 to one half; with 4 means are sixths.
        means: chosen by integers "inside" the coder, or from "outside" it, see `outside_means`.
    """

    side: int = 64
    hyper: int = 96
    groups: tuple[int, ...] = ()
    checkerboard: bool = True
    context: int = 96
    levels: int = MAX_LEVELS
    phases: int = 4
    means: Literal["inside", "outside"] = "inside"

    def __post_init__(self) -> None:
        if min(self.side, self.hyper, self.context, *self.groups) < 1 or not 1 <= self.levels <= MAX_LEVELS:
            raise UsageError(f"widths, groups and levels are 1 or more, and levels at most {MAX_LEVELS}: {self}")
        if not 1 <= self.phases <= 16 or self.means not in ("inside", "outside"):
            raise UsageError(f"phases are 1 to 16, and means inside or outside: {self}")

    def sizes(self, channels: int) -> tuple[int, ...]:
        """The channel groups of so many channels. Raises UsageError where those asked for are not as many."""
        usual = [size for size in (channels // 12, channels // 4) if size]
        found = self.groups or (*usual, channels - sum(usual))
        if sum(found) != channels:
            raise UsageError(f"groups of {', '.join(map(str, found))} channels are not the latent's {channels}")
        return found

    @property
    def inside(self) -> bool:
        """Whether integers choose means."""
        return self.means == "inside"


class _Group(nn.Module):
    """What one group's scales and means follow from; `coding.models.spatial.group` has the picture."""

    def __init__(self, columns: int, features: int, before: int, options: SpatialOptions) -> None:
        super().__init__()
        width, self.columns, self.options = options.context, columns, options
        self.before = RoundedStack(RoundedConvolution(before, width, 5)) if before else None
        self.mix = RoundedConvolution(features + (width if before else 0), width, 1)
        self.context = RoundedCheckerboard(columns, width, 5) if options.checkerboard else None
        last = RoundedConvolution(width, (1 + options.inside) * columns, 1, gain=OUTPUT_GAIN)
        self.rest = nn.ModuleList([RoundedConvolution(width, width, 1), last])
        with torch.no_grad():
            last.bias[:columns] = -np.log(SCALE_FLOOR)  # sigma starts at 1

    def forward(self, features: Tensor, before: Tensor, own: Tensor) -> Tensor:
        """(n, f, h, w) features, symbols of the groups before and of this one -> (n, m, h, w) bits."""
        if self.before is not None:
            features = torch.cat([features, inner(self.before(before))], dim=1)
        out = self.mix(features)
        if self.context is not None:
            out = out + self.context(own)
        for layer in self.rest:
            out = layer(inner(out))
        index = scale_index(out[:, : self.columns], self.options.levels)
        mean = nearest_mean(out[:, self.columns :], parts_of(self.options.phases)) if self.options.inside else 0.0
        return table_bits(own, index, mean)

    def export(self) -> SpatialGroup:
        """The same in integers."""
        means = self.columns if self.options.inside else 0
        parts = [1 << INDEX_BITS] * self.columns + [parts_of(self.options.phases)] * means
        *middle, last = self.rest
        assert isinstance(last, RoundedConvolution)
        rest = [layer.export(INNER_BITS) for layer in middle if isinstance(layer, RoundedConvolution)]
        return SpatialGroup(
            columns=self.columns,
            before=None if self.before is None else self.before.export(),
            mix=self.mix.export(INNER_BITS),
            context=None if self.context is None else self.context.export(INNER_BITS),
            rest=(*rest, last.export(INNER_BITS, parts)),
            cap=CAP,
        )


class SpatialEntropy(nn.Module):
    """See the module.

    Args:
        channels: c of the latent.
        options: sizes.
        given: channels of each layer below whose symbols it looks at, at the same places.
    """

    def __init__(self, channels: int, options: SpatialOptions, given: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.channels, self.options, self.given = channels, options, given
        width, side = options.hyper, options.side
        self.h_a = RoundedStack(
            RoundedConvolution(channels, width, 3),
            RoundedConvolution(width, width, 5, stride=2),
            RoundedConvolution(width, side, 5, stride=2),
        )
        self.h_s = RoundedStack(
            RoundedConvolution(side, width, 3, grow=2),
            RoundedConvolution(width, width, 3, grow=2),
            RoundedConvolution(width, width, 3),
        )
        self.below = RoundedStack(RoundedConvolution(sum(given), width, 5)) if given else None
        self.density = FactorizedDensity(side)
        self.groups = nn.ModuleList()
        sizes, before = options.sizes(channels), 0
        self.outside = None if options.inside else OutsideMeans(sizes, options.context, options.checkerboard, given)
        for size in sizes:
            self.groups.append(_Group(size, width * (1 + bool(given)), before, options))
            before += size

    def forward(self, y: Tensor, given: Sequence[Tensor] = ()) -> Rated:
        """(n, c, h, w) latent, and (n, c_i, h, w) symbols of layers below -> the latent as decoded, and (n,) bits.

        Never in halves, whatever autocast is about: what is counted here has 16 bits.
        """
        own = next(self.parameters()).dtype
        with torch.autocast(y.device.type, enabled=False):
            return self._rated(y.to(own), [part.to(own) for part in given])

    def _rated(self, y: Tensor, given: Sequence[Tensor]) -> Rated:
        symbols = y_hat = round_through(y)
        if self.outside is not None:
            symbols, y_hat = self.outside.quantize(y, given)
        z_hat = round_through(self.h_a(symbols))
        likelihood = self.density.likelihood(z_hat.movedim(1, 3).flatten(0, 2))
        bits = -torch.log2(likelihood + 2.0**-TABLE_BITS).reshape(len(y), -1).sum(dim=1)  # no count is below 1
        features = self.features(z_hat, given, y.shape[2:])
        start = 0
        for group in self.groups:
            assert isinstance(group, _Group)
            own = symbols[:, start : start + group.columns]
            bits = bits + group(features, symbols[:, :start], own).sum(dim=(1, 2, 3))
            start += group.columns
        return Rated(y_hat, bits)

    @torch.no_grad()
    def start(self, deviations: Tensor) -> None:
        """Begin with these (c,) standard deviations of symbols, and not with 1; what reads symbols, in such units."""
        _first(self.h_a).measure(deviations)
        first = 0
        for group in self.groups:
            assert isinstance(group, _Group)
            own = deviations[first : first + group.columns]
            if group.before is not None:
                _first(group.before).measure(deviations[:first])
            if group.context is not None:
                group.context.convolution.measure(own)
            last = group.rest[-1]
            assert isinstance(last, RoundedConvolution)
            last.bias[: group.columns] = torch.log(own.clamp_min(SCALE_FLOOR) / SCALE_FLOOR)
            first += group.columns

    def features(self, z_hat: Tensor, given: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Side information and symbols of layers below -> (n, f, h, w) what every group reads."""
        h, w = size
        found = inner(self.h_s(z_hat, [(-(-h // 2), -(-w // 2)), (h, w)]))
        return found if self.below is None else torch.cat([found, inner(self.below(torch.cat([*given], dim=1)))], dim=1)

    @torch.no_grad()
    def freeze(self) -> SpatialTables:
        """The same in integers; tables of what `outside` quantizes to, where means come from there."""
        centre, none = torch.zeros(self.options.side), np.zeros((1, self.options.side), np.int32)
        own = copy.deepcopy(self.density).cpu().freeze(centre, none)
        levels, phases = self.options.levels, self.options.phases if self.options.inside else 1
        return SpatialTables(
            bank=join_tables([own, mirrored_bank(levels, phases)]),
            side=self.h_a.export([1] * self.options.side),
            hyper=self.h_s.export(),
            groups=tuple(group.export() for group in self.groups if isinstance(group, _Group)),
            levels=levels,
            phases=phases,
            below=None if self.below is None else self.below.export(),
        )


def _first(stack: RoundedStack) -> RoundedConvolution:
    found = stack.layers[0]
    assert isinstance(found, RoundedConvolution)
    return found

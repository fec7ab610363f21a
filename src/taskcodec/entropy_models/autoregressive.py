"""The autoregressive model over groups of columns: each group's scales and means follow from all groups before it.

    y_1 --factorized density--> bits;    y_1 ... y_g --network_g--> scale indices, means of y_{g+1} --Gaussian--> bits

Minnen et al., "Joint autoregressive and hierarchical priors for learned image compression" (NeurIPS 2018), section 3.1,
with groups of columns of a vector (as Minnen and Singh's channel slices, "Channel-wise autoregressive entropy models",
ICIP 2020) in place of a context of pixels: so decoding takes one step a group, for all samples at once.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from taskcodec.coding import ConditionalTables, Group, IntegerNetwork, join_tables
from taskcodec.entropy_models.factorized import FactorizedDensity
from taskcodec.entropy_models.gaussian import (
    FRACTION_BITS,
    INDEX_BITS,
    SCALE_FLOOR,
    fractional_mean,
    gaussian_bank,
    gaussian_bits,
    lattice_offset,
    levels_of,
    scale_index,
)
from taskcodec.entropy_models.integer_network import TrainableNetwork
from taskcodec.entropy_models.model import EntropyModel, FrozenEntropyModel, Relaxation

GROUPS = 4
HIDDEN = (64,)


class Autoregressive(EntropyModel):
    """See the module.

    Args:
        columns: k, at least 2.
        groups: how many groups of (nearly) equally many columns, at most k.
        hidden: widths of the inner layers of the networks; none: scales are constants and means linear.
        relaxation: see `EntropyModel`.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        columns: int,
        *,
        groups: int = GROUPS,
        hidden: Sequence[int] = HIDDEN,
        relaxation: Relaxation = "noise",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(columns, relaxation)
        self.sizes = [len(part) for part in np.array_split(np.arange(columns), min(groups, columns))]
        self.density = FactorizedDensity(self.sizes[0], generator=generator)
        self.networks = nn.ModuleList()
        start = self.sizes[0]
        for size in self.sizes[1:]:
            network = TrainableNetwork(start, hidden, 2 * size, generator)
            with torch.no_grad():
                network.output.bias[:size] = -np.log(SCALE_FLOOR)  # sigma starts at 1
            self.networks.append(network)
            start += size

    def rate_bits(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, k) noisy or rounded latents -> (n,) bits a sample."""
        bits, start = self.density.rate_bits(y[:, : self.sizes[0]]), self.sizes[0]
        for network, size in zip(self.networks, self.sizes[1:], strict=True):
            out = network(y[:, :start])
            index, mean = scale_index(out[:, :size]), fractional_mean(out[:, size:])
            bits = bits + gaussian_bits(y[:, start : start + size], index, mean).sum(dim=1)
            start += size
        return bits

    @torch.no_grad()
    def calibrate(self, latent: Tensor) -> None:
        """Centres: the density's medians in the first group, where columns crowd in the others."""
        first = self.sizes[0]
        self.centre.copy_(torch.cat([self.density.quantile(0.5), lattice_offset(latent[:, first:])]))

    @torch.no_grad()
    def freeze(self, latent: Tensor) -> FrozenEntropyModel:
        """Integer networks and tables; indices are kept up to a little above the largest that these latents need."""
        self.calibrate(latent)
        symbols = torch.round(latent - self.centre).cpu().numpy().astype(np.int32)
        start, levels = self.sizes[0], 1
        own = copy.deepcopy(self.density).cpu().freeze(self.centre[:start].cpu(), symbols[:, :start])
        exported: list[tuple[int, IntegerNetwork]] = []
        for network, size in zip(self.networks, self.sizes[1:], strict=True):
            assert isinstance(network, TrainableNetwork)
            gains, centre = [INDEX_BITS] * size + [FRACTION_BITS] * size, self.centre[start : start + size]
            added = torch.cat([torch.zeros_like(centre), -centre])
            whole = network.export(self.centre[:start], gains, added)
            levels = max(levels, levels_of(whole(symbols[:, :start])[:, :size]))
            exported.append((size, whole))
            start += size
        groups = [Group(size, self.sizes[0], whole, levels, FRACTION_BITS) for size, whole in exported]
        bank = join_tables([own, gaussian_bank(levels, FRACTION_BITS)])
        tables = ConditionalTables(bank, (Group(self.sizes[0]), *groups))
        return FrozenEntropyModel(tables, self.centre.cpu().numpy().astype(np.float32))

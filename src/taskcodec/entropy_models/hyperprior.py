"""The scale hyperprior and the mean-scale hyperprior, for latents that are vectors.

    y --h_a--> z --round--> z_hat --h_s--> index of a scale (and a mean) for each column of y
    bits = factorized density of z_hat + Gaussian conditional of y_hat

Balle et al., "Variational image compression with a scale hyperprior" (ICLR 2018), section 3; with means Minnen et al.,
"Joint autoregressive and hierarchical priors for learned image compression" (NeurIPS 2018). h_a reads y_hat, so that
what is coded follows from the symbols alone. Both networks are exported to integers.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from taskcodec.coding import ConditionalTables, Group, join_tables
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
from taskcodec.quantization.noise import add_noise

SIDE_SHARE = 5
"""One column of side information for so many of the latent."""
HIDDEN = (128,)


class Hyperprior(EntropyModel):
    """See the module.

    Args:
        columns: k.
        means: whether h_s gives means; without, densities are centred at zero.
        side: columns of z; k / 5 where not given.
        hidden: widths of the inner layers of h_a and h_s.
        relaxation: see `EntropyModel`.
        generator: draws the initial weights.
    """

    side_centre: Tensor

    def __init__(
        self,
        columns: int,
        *,
        means: bool = True,
        side: int | None = None,
        hidden: Sequence[int] = HIDDEN,
        relaxation: Relaxation = "noise",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(columns, relaxation)
        self.means, self.side = means, max(1, columns // SIDE_SHARE) if side is None else side
        self.h_a = TrainableNetwork(columns, hidden, self.side, generator)
        self.h_s = TrainableNetwork(self.side, hidden, (1 + means) * columns, generator)
        self.density = FactorizedDensity(self.side, generator=generator)
        self.register_buffer("side_centre", torch.zeros(self.side))
        with torch.no_grad():
            self.h_s.output.bias[:columns] = -np.log(SCALE_FLOOR)  # sigma starts at 1

    def rate_bits(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, k) noisy or rounded latents -> (n,) bits a sample, those of z included."""
        z = self.h_a(y)
        rounded = torch.floor(z - self.side_centre + 0.5) + self.side_centre
        z = add_noise(z, generator) if self.training else rounded
        out = self.h_s(z)
        mean = fractional_mean(out[:, self.columns :]) if self.means else 0.0
        bits = gaussian_bits(y, scale_index(out[:, : self.columns]), mean)
        return bits.sum(dim=1) + self.density.rate_bits(z)

    @torch.no_grad()
    def calibrate(self, latent: Tensor) -> None:
        """Centres: of y where its columns crowd (zero without means), of z the medians of its density."""
        self.centre.copy_(lattice_offset(latent) if self.means else torch.zeros_like(self.centre))
        self.side_centre.copy_(self.density.quantile(0.5))

    @torch.no_grad()
    def freeze(self, latent: Tensor) -> FrozenEntropyModel:
        """Integer networks and tables; indices are kept up to a little above the largest that these latents need."""
        self.calibrate(latent)
        symbols = torch.round(latent - self.centre).cpu().numpy().astype(np.int32)
        h_a = self.h_a.export(self.centre, [0] * self.side, -self.side_centre)
        gains, added = [INDEX_BITS] * self.columns, torch.zeros_like(self.centre)
        if self.means:
            gains, added = gains + [FRACTION_BITS] * self.columns, torch.cat([added, -self.centre])
        h_s = self.h_s.export(self.side_centre, gains, added)
        z = h_a(symbols).astype(np.int32)
        own = copy.deepcopy(self.density).cpu().freeze(self.side_centre.cpu(), z)
        fraction_bits = FRACTION_BITS if self.means else 0
        levels = levels_of(h_s(z)[:, : self.columns])
        groups = (Group(self.side), Group(self.columns, self.side, h_s, levels, fraction_bits))
        tables = ConditionalTables(join_tables([own, gaussian_bank(levels, fraction_bits)]), groups, side=h_a)
        return FrozenEntropyModel(tables, self.centre.cpu().numpy().astype(np.float32))

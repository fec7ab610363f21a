"""The factorized entropy model: one learned, non-parametric density for each column of the latent.

    y --f_1--> ... --f_K--> logit of the cumulative F(y);   p(symbol k) = F(k + 1/2) - F(k - 1/2)

Balle et al., "Variational image compression with a scale hyperprior" (ICLR 2018), appendix 6.1: F is a composition of
monotone maps f(x) = g(softplus(H) x + b), g(x) = x + tanh(a) tanh(x), so that any cumulative can be approached.
Training sees latents with uniform noise in place of rounding (section 3.1); coding sees frozen integer `Tables`.
"""

import copy
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from taskcodec.coding import Tables, freeze_pmf
from taskcodec.entropy_models.model import EntropyModel, FrozenEntropyModel, Relaxation

FILTERS = (3, 3, 3, 3)
INIT_SCALE = 10.0
MIN_LIKELIHOOD = 1e-9
TAIL = 1e-6
"""Probability beyond either end of a column's table."""
MAX_REACH = 1024
"""No table reaches farther from its column's median, in symbols."""


class FactorizedDensity(nn.Module):
    """Densities of d columns, which share nothing.

    Args:
        columns: d.
        filters: widths of the inner layers.
        init_scale: the densities start about this wide.
        generator: draws the initial offsets.
    """

    def __init__(
        self,
        columns: int,
        filters: Sequence[int] = FILTERS,
        init_scale: float = INIT_SCALE,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        widths = (1, *filters, 1)
        scale = init_scale ** (1 / (len(widths) - 1))
        self.columns = columns
        self.matrices, self.offsets, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for into, out in pairwise(widths):
            self.matrices.append(torch.full((columns, out, into), math.log(math.expm1(1 / scale / out))))
            self.offsets.append(torch.rand((columns, out, 1), generator=generator) - 0.5)
        self.factors.extend(torch.zeros((columns, width, 1)) for width in filters)

    def logits(self, y: Tensor) -> Tensor:
        """(n, d) -> (n, d) logits of the cumulative of each column."""
        x = y.T.unsqueeze(1)  # (d, 1, n)
        for layer, (matrix, offset) in enumerate(zip(self.matrices, self.offsets, strict=True)):
            x = torch.baddbmm(offset, softplus(matrix), x)
            if layer < len(self.factors):
                x = x + torch.tanh(self.factors[layer]) * torch.tanh(x)
        return x.squeeze(1).T

    def likelihood(self, y: Tensor) -> Tensor:
        """(n, d) latents, noisy or rounded -> (n, d) probability of the unit interval around each."""
        lower, upper = self.logits(torch.cat([y - 0.5, y + 0.5])).chunk(2)
        # Both on the side where the sigmoid is small: 1 - 1 would lose what is left.
        sign = -torch.sign(lower + upper).detach()
        return (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs().clamp_min(MIN_LIKELIHOOD)

    def rate_bits(self, y: Tensor) -> Tensor:
        """(n, d) latents -> (n,) bits a sample."""
        return -torch.log2(self.likelihood(y)).sum(dim=1)

    @torch.no_grad()
    def quantile(self, probability: float) -> Tensor:
        """(d,) where each cumulative takes this value, by bisection to 1e-4 within 2**20 of zero."""
        target = math.log(probability) - math.log1p(-probability)
        low = torch.full((self.columns,), -(2.0**20), device=self.offsets[0].device)
        high = -low
        for _ in range(35):
            middle = (low + high) / 2
            below = self.logits(middle[None])[0] < target
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2

    @torch.no_grad()
    def freeze(self, centre: Tensor, symbols: npt.NDArray[np.int32]) -> Tables:
        """Tables of the symbols round(y - centre).

        Args:
            centre: (d,) the latent that symbol 0 stands for.
            symbols: (n, d) what was seen; each table covers it and all but TAIL of the density on either side.
        """
        left = torch.floor(self.quantile(TAIL) - centre).numpy()
        right = torch.ceil(self.quantile(1 - TAIL) - centre).numpy()
        first = np.clip(np.minimum(left, symbols.min(axis=0)), -MAX_REACH, 0).astype(np.int32)
        last = np.clip(np.maximum(right, symbols.max(axis=0)), 0, MAX_REACH - 1).astype(np.int32)
        run = np.arange(first.min(), last.max() + 1)
        pmf = np.concatenate(
            [
                self.likelihood(centre + torch.as_tensor(part[:, None], dtype=torch.float32)).numpy()
                for part in np.array_split(run, max(1, len(run) // 64))
            ]
        ).astype(np.float64)
        columns = [pmf[first[j] - run[0] : last[j] - run[0] + 1, j] for j in range(self.columns)]
        return freeze_pmf(first, columns, 2 * TAIL)


class Factorized(EntropyModel):
    """The factorized model of a latent, as training loops use it.

    Args:
        columns: k.
        relaxation: see `EntropyModel`.
        generator: draws the initial offsets of the densities.
    """

    def __init__(
        self, columns: int, relaxation: Relaxation = "noise", generator: torch.Generator | None = None
    ) -> None:
        super().__init__(columns, relaxation)
        self.density = FactorizedDensity(columns, generator=generator)

    def rate_bits(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, k) latents -> (n,) bits a sample."""
        return self.density.rate_bits(y)

    def calibrate(self, latent: Tensor) -> None:
        """Symbol 0 stands for the median of the density, so that a column that is not worth its bits is free."""
        self.centre.copy_(self.density.quantile(0.5))

    @torch.no_grad()
    def freeze(self, latent: Tensor) -> FrozenEntropyModel:
        """Tables of the learned densities, wide enough for these latents."""
        self.calibrate(latent)
        symbols = torch.round(latent - self.centre).cpu().numpy().astype(np.int32)
        density = copy.deepcopy(self.density).cpu()
        tables = density.freeze(self.centre.cpu(), symbols)
        return FrozenEntropyModel(tables, self.centre.cpu().numpy().astype(np.float32))

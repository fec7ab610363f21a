"""Mixtures of fixed distributions of bytes in training: `taskcodec.coding.models.mixture` is what they freeze to.

logits (..., B) --softmax--> weights;    p(x) = sum_b weight_b T_b(x)
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding.models.mixture import MAX_POWER, VALUES, Mixture
from taskcodec.coding.models.tables import TOTAL

LOGIT_BITS = 5
"""Logits are multiples of 2**-LOGIT_BITS."""
LONGEST = 14.0
"""What lies so far below the largest logit has no weight."""
FLOOR = 0.05
"""Of the first table, which any value may need."""


def nats(logits: Tensor, tables: Tensor, values: Tensor) -> Tensor:
    """(..., B) logits, (B, 256) logits of tables, (...) bytes -> (...) nats of each."""
    likelihood = nn.functional.embedding(values, torch.log_softmax(tables, dim=1).T)
    return torch.logsumexp(logits, -1) - torch.logsumexp(logits + likelihood, -1)


def started_tables(components: int, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(256,) how often each byte occurs -> (B, 256) logits of B tables, at least 4.

    The share of all values, black, white, and bumps where the others are.
    """
    values = np.arange(VALUES)
    found = [np.log(share + 1e-5), np.where(values == 0, 4.0, -8.0), np.where(values == VALUES - 1, 4.0, -8.0)]
    between = np.cumsum(share[1:-1] + 2.0 / VALUES * share[1:-1].sum() + 1e-9)
    quantiles = np.linspace(0, 1, components - len(found) + 2)[1:-1] * between[-1]
    centres = 1 + np.searchsorted(between, quantiles)
    width = np.maximum(np.gradient(centres.astype(np.float64)) if len(centres) > 1 else np.array([64.0]), 2.0)
    bumps = -0.5 * ((values[None] - centres[:, None]) / width[:, None]) ** 2
    return np.concatenate([found, np.maximum(bumps, -12.0)])


@torch.no_grad()
def frozen_mixture(tables: Tensor) -> Mixture:
    """(B, 256) logits of tables -> powers and tables as whole numbers, once and for all."""
    steps = np.arange(int(LONGEST * 2**LOGIT_BITS))
    powers = np.rint(MAX_POWER * np.exp(-steps * 2.0**-LOGIT_BITS)).astype(np.int64)
    shares = torch.softmax(tables.double(), dim=1).numpy()
    shares[0] = (1 - FLOOR) * shares[0] + FLOOR / VALUES
    whole = np.stack([_whole(share, least=int(place == 0)) for place, share in enumerate(shares)])
    return Mixture(np.append(powers, 0), whole)


def _whole(share: npt.NDArray[np.float64], least: int) -> npt.NDArray[np.int64]:
    """Shares -> counts of a sum of 2**16, each at least so many: by the largest remainder."""
    exact = share * (TOTAL - least * share.size)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: TOTAL - least * share.size - int(counts.sum())]] += 1
    return counts + least

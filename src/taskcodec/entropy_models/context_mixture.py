"""A mixture of fixed distributions whose weights follow from the context, in training.

    context (n, inputs) --network--> logits (n, B) --softmax--> weights;    p(x | context) = sum_b weight_b T_b(x)

After PixelCNN++ (Salimans et al., ICLR 2017), whose components move with the context; here they stand still, so that
a mixture is one product of integers.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding.models.context.model import MAX_POWER, VALUES, ContextModel
from taskcodec.coding.models.context.neighbours import Neighbours
from taskcodec.coding.models.tables import TOTAL
from taskcodec.entropy_models.integer_network import TrainableNetwork

INPUT_BITS = 6
CENTRE = 64
"""Inputs 0 to 255 are moved by so much, towards what networks start well from."""
LOGIT_BITS = 5
"""Logits are multiples of 2**-LOGIT_BITS."""
LONGEST = 14.0
"""What lies so far below the largest logit has no weight."""
FLOOR = 0.05
"""Of the first table, which any value may need."""


class ContextMixture(nn.Module):
    """See the module.

    Args:
        inputs: width of the context.
        hidden: widths of the network.
        components: B, at least 4.
        share: (256,) how often each value occurs, for the start.
        seed: of the initial weights.
    """

    def __init__(
        self, inputs: int, hidden: tuple[int, ...], components: int, share: npt.NDArray[np.float64], seed: int = 0
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.network = TrainableNetwork(inputs, hidden, components, generator, input_bits=INPUT_BITS)
        self.tables = nn.Parameter(torch.tensor(_start(components, share), dtype=torch.float32))

    def forward(self, context: Tensor, values: Tensor) -> Tensor:
        """(n, inputs) integers as floats, (n,) values -> (n,) nats of each."""
        logits = self.network((context - CENTRE) * 2.0**-INPUT_BITS)
        likelihood = torch.log_softmax(self.tables, dim=1).T[values]
        return torch.logsumexp(logits, 1) - torch.logsumexp(logits + likelihood, 1)


def _start(components: int, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logits of tables: the share of all values, black, white, and bumps where the others are."""
    values = np.arange(VALUES)
    found = [np.log(share + 1e-5), np.where(values == 0, 4.0, -8.0), np.where(values == VALUES - 1, 4.0, -8.0)]
    between = np.cumsum(share[1:-1] + 2.0 / VALUES * share[1:-1].sum() + 1e-9)
    quantiles = np.linspace(0, 1, components - len(found) + 2)[1:-1] * between[-1]
    centres = 1 + np.searchsorted(between, quantiles)
    width = np.maximum(np.gradient(centres.astype(np.float64)) if len(centres) > 1 else np.array([64.0]), 2.0)
    bumps = -0.5 * ((values[None] - centres[:, None]) / width[:, None]) ** 2
    return np.concatenate([found, np.maximum(bumps, -12.0)])


@torch.no_grad()
def freeze(mixture: ContextMixture, near: Neighbours) -> ContextModel:
    """Weights, powers and tables as whole numbers, once and for all."""
    network = mixture.network
    components = len(mixture.tables)
    offset = torch.full((network.inputs,), -CENTRE * 2.0**-INPUT_BITS)
    exported = network.export(offset, [LOGIT_BITS] * components, torch.zeros(components))
    steps = np.arange(int(LONGEST * 2**LOGIT_BITS))
    powers = np.rint(MAX_POWER * np.exp(-steps * 2.0**-LOGIT_BITS)).astype(np.int64)
    shares = torch.softmax(mixture.tables.double(), dim=1).numpy()
    shares[0] = (1 - FLOOR) * shares[0] + FLOOR / VALUES
    tables = np.stack([_whole(share, least=int(place == 0)) for place, share in enumerate(shares)])
    return ContextModel(near, exported, np.append(powers, 0), tables)


def _whole(share: npt.NDArray[np.float64], least: int) -> npt.NDArray[np.int64]:
    """Shares -> counts of a sum of 2**16, each at least so many: by the largest remainder."""
    exact = share * (TOTAL - least * share.size)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: TOTAL - least * share.size - int(counts.sum())]] += 1
    return counts + least

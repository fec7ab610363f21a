"""A mixture of fixed distributions whose weights follow from the context, in training.

    context (n, inputs) --network--> logits (n, B) --softmax--> weights;    p(x | context) = sum_b weight_b T_b(x)

After PixelCNN++ (Salimans et al., ICLR 2017), whose components move with the context; here they stand still, so that
a mixture is one product of integers.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.coding.models.context.model import ContextModel
from taskcodec.coding.models.context.neighbours import Neighbours
from taskcodec.entropy_models.integer_network import TrainableNetwork
from taskcodec.entropy_models.of_bytes.mixture import LOGIT_BITS, frozen_mixture, nats, started_tables

INPUT_BITS = 6
CENTRE = 64
"""Inputs 0 to 255 are moved by so much, towards what networks start well from."""


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
        self.tables = nn.Parameter(torch.tensor(started_tables(components, share), dtype=torch.float32))

    def forward(self, context: Tensor, values: Tensor) -> Tensor:
        """(n, inputs) integers as floats, (n,) values -> (n,) nats of each."""
        logits = self.network((context - CENTRE) * 2.0**-INPUT_BITS)
        return nats(logits, self.tables, values)


@torch.no_grad()
def freeze(mixture: ContextMixture, near: Neighbours) -> ContextModel:
    """Weights, powers and tables as whole numbers, once and for all."""
    network = mixture.network
    components = len(mixture.tables)
    offset = torch.full((network.inputs,), -CENTRE * 2.0**-INPUT_BITS)
    exported = network.export(offset, [LOGIT_BITS] * components, torch.zeros(components))
    found = frozen_mixture(mixture.tables)
    return ContextModel(near, exported, found.powers, found.tables)

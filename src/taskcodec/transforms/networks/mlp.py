"""A multilayer perceptron on vectors: analysis or synthesis of small sources."""

from collections.abc import Sequence

import torch
from torch import nn


class MLP(nn.Module):
    """(n, inputs) --[linear, SiLU] for each hidden width--> linear --> (n, outputs)."""

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int] = (128, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), nn.SiLU()]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.layers(x))

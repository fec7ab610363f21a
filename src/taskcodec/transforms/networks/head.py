"""A head: a small network on the features of a frozen backbone, which learns what of them to keep."""

from collections.abc import Sequence

import torch
from torch import nn

from taskcodec.transforms.networks.mlp import MLP

EPSILON = 1e-3
"""Columns that hardly vary are not blown up beyond 1 / EPSILON times their mean spread."""


class Head(nn.Module):
    """(n, inputs) features --standardise each column--> MLP --> (n, outputs)."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int] = (1024,)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.body = MLP(inputs, outputs, hidden)

    @torch.no_grad()
    def standardise(self, features: torch.Tensor) -> None:
        """Take mean and spread of each column from (n, inputs) features, once, before training."""
        spread = features.std(dim=0)
        self.mean.copy_(features.mean(dim=0))
        self.scale.copy_(1 / (spread + EPSILON * spread.mean() + torch.finfo(spread.dtype).tiny))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.body((x - self.mean) * self.scale))

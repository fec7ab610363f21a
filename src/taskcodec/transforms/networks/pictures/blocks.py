"""What the networks of pictures are built of: steps that halve or double the side, residual blocks, attention."""

import torch
import torch.nn.functional as F
from torch import nn

KERNEL = 5


def halve(inputs: int, outputs: int) -> nn.Conv2d:
    """(n, inputs, H, W) -> (n, outputs, ceil(H/2), ceil(W/2)), 5x5."""
    return nn.Conv2d(inputs, outputs, KERNEL, 2, KERNEL // 2)


def double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    """(n, inputs, h, w) -> (n, outputs, 2h, 2w), 5x5."""
    return nn.ConvTranspose2d(inputs, outputs, KERNEL, 2, KERNEL // 2, output_padding=1)


class Residual(nn.Module):
    """x --1x1, ReLU, 3x3, ReLU, 1x1--> + x.

    He et al., "ELIC" (CVPR 2022), figure 3: inside it is `narrow` times narrower than outside (2 there), never wider.
    """

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        inner = max(1, width // narrow)
        self.enter = nn.Conv2d(width, inner, 1)
        self.look = nn.Conv2d(inner, inner, 3, 1, 1)
        self.leave = nn.Conv2d(inner, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.enter(x), inplace=True)
        y = F.relu(self.look(y), inplace=True)
        return x + torch.as_tensor(self.leave(y))


class Attention(nn.Module):
    """x + body(x) * sigmoid(mask(x)), each of three residual blocks; where to spend bits.

    Cheng et al., "Learned image compression with discretized Gaussian mixture likelihoods and attention modules"
    (CVPR 2020), section 3.3.
    """

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(Residual(width, narrow) for _ in range(3)))
        self.mask = nn.Sequential(*(Residual(width, narrow) for _ in range(3)), nn.Conv2d(width, width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.as_tensor(self.body(x)) * torch.sigmoid(self.mask(x))

"""Where a layer starts: its latent as wide as its steps ask for; transforms of blocks as a Karhunen-Loeve transform."""

import math

import torch
from torch import Tensor, nn

from taskcodec.fitting.gradient.pictures.layers import TrainedLayer
from taskcodec.transforms.networks.pictures.block_transform import BlockAnalysis, BlockSynthesis
from taskcodec.transforms.networks.pictures.places import padded
from taskcodec.transforms.networks.pictures.stacks import PictureAnalysis

FIRST_SPREAD = 4.0
"""Standard deviation of a latent before training, in steps."""
MOST_BLOCKS = 1 << 15
"""Taken of the pictures, for their covariance."""


def start_layer(layer: TrainedLayer, pictures: Tensor, beta: float) -> None:
    """Set a layer's first weights by (n, 3, H, W) pictures in [0, 1], and by what a bit a pixel costs."""
    if isinstance(layer.g_a, PictureAnalysis):
        first_scale(layer.g_a.layers, pictures, FIRST_SPREAD)
        if layer.g_a.told is not None:
            _silence(layer.g_a.told.layers)
        return
    assert isinstance(layer.g_a, BlockAnalysis)
    latent = layer.g_a.linear.map.out_channels
    mean, basis, deviations = principal_blocks(padded(pictures, layer.g_a.stride), layer.g_a.stride, latent)
    step = usual_step(beta) if layer.choice.task == "mse" else float(deviations.square().mean().sqrt()) / FIRST_SPREAD
    layer.g_a.linear.set(basis, 1 / step, -(basis.sum((2, 3)) @ mean) / step)
    _silence(layer.g_a.deep)
    if isinstance(layer.g_s, BlockSynthesis) and layer.g_s.linear.map.out_channels == 3:
        layer.g_s.linear.set(basis, step, mean)
        if layer.g_s.second is not None:
            _silence(layer.g_s.second)
    layer.entropy.start(deviations / step)


def usual_step(beta: float) -> float:
    """The step at which a bit less costs as much squared error as it saves, by the usual rule of small steps.

    A step s adds s^2 / 12 of error to each of the values in a pixel's colours; its bits fall by log2 s.
    """
    return math.sqrt(18 * beta / math.log(2))


def principal_blocks(pictures: Tensor, side: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The mean colour (3,), the (m, 3, side, side) orthonormal blocks of most variance, and what deviates along them.

    m is `count`, or as many as there are values in a block.
    """
    blocks = nn.functional.unfold(pictures, side, stride=max(1, side // 2)).movedim(1, 2).flatten(0, 1)
    blocks = blocks[torch.randperm(len(blocks))[:MOST_BLOCKS]].double()
    mean = pictures.mean((0, 2, 3))
    centred = blocks - mean.double().repeat_interleave(side * side)
    variances, axes = torch.linalg.eigh(centred.T @ centred / len(centred))
    basis = axes.flip(1).T[:count].reshape(-1, 3, side, side)
    return mean, basis.float(), variances.flip(0)[:count].clamp_min(0).sqrt().float()


@torch.no_grad()
def _silence(network: nn.Module) -> None:
    """Let the last convolution of a network give 0: what it adds is learned."""
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)][-1]
    last.weight.zero_()
    if last.bias is not None:
        last.bias.zero_()


@torch.no_grad()
def first_scale(network: nn.Module, x: Tensor, spread: float) -> None:
    """Scale g_a's last step so that the latent of these pictures has about this standard deviation.

    What is rounded to whole numbers must reach them: with the usual initial weights all of it would be 0.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    last = [module for module in convolutions if module.stride == (2, 2)][-1]
    for _ in range(3):  # attention after it is nearly proportional to it, and no more
        factor = spread / float(network(x).std().clamp_min(1e-6))
        last.weight.mul_(factor)
        if last.bias is not None:
            last.bias.mul_(factor)

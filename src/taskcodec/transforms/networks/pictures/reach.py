"""How far from a place lies what a network of pictures looks at."""

from torch import nn

from taskcodec.transforms.networks.pictures.block_transform import BlockAnalysis, BlockSynthesis
from taskcodec.transforms.networks.pictures.blocks import Attention
from taskcodec.transforms.networks.pictures.stacks import PictureAnalysis

SIDE_BY_SIDE = (Attention, BlockAnalysis, BlockSynthesis, PictureAnalysis)
"""Those whose parts all look at the same."""


def reach_of(network: nn.Module, jump: int) -> int:
    """Pixels to each side that can change what a network gives at a place, at most.

    `jump`: pixels between two places of what it reads: 1 of an analysis, the stride of a synthesis.
    """
    return _reach(network, jump)[0]


def sees_whole(network: nn.Module) -> bool:
    """Whether every pixel changes what it gives everywhere: where something is normalised over the picture."""
    return any(isinstance(module, nn.GroupNorm) for module in network.modules())


def _reach(module: nn.Module, jump: int) -> tuple[int, int]:
    """The reach, and the pixels between two places of what a module gives."""
    if isinstance(module, nn.Conv2d):
        return module.kernel_size[0] // 2 * jump, jump * module.stride[0]
    if isinstance(module, nn.ConvTranspose2d):
        stride = module.stride[0]
        return -(-(module.kernel_size[0] // 2) // stride) * jump, jump // stride
    if isinstance(module, SIDE_BY_SIDE):
        return max(_reach(child, jump) for child in module.children())
    total = 0
    for child in module.children():
        reach, jump = _reach(child, jump)
        total += reach
    return total, jump

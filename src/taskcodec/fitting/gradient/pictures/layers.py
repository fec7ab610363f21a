"""Layers of pictures as torch runs them: those that are trained, and those of a finished codec, which stay as they are.

x --pad--> g_a --> y --round--> y_hat --+--> g_s (and what lies below) --> for the task, cut to x's size
                                        +--> g_p --> preview
                   entropy model of y_hat (and symbols below) --> bits
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.recipe import RECONSTRUCTIONS, LayerChoice
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.stack.outside import packed_means, unpacked_means
from taskcodec.transforms.networks.build import make, pack, unpack
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.networks.pictures.block_transform import BLOCKS, usual_kernel
from taskcodec.transforms.networks.pictures.places import padded
from taskcodec.transforms.networks.pictures.stacks import PUBLISHED
from taskcodec.transforms.picture import PictureTransform
from taskcodec.transforms.predictors.informing import sizes_of_answers, take_predictor

USUAL: Mapping[str, Mapping[str, Any]] = {**PUBLISHED, "blocks": BLOCKS}
"""Sizes of analyses where a choice names no others."""


class Known(NamedTuple):
    """What is known of a layer: (n, c, h, w) symbols as floats, and what they dequantize to."""

    symbols: Tensor
    values: Tensor


class Seen(NamedTuple):
    """What a trained layer makes of pictures.

    Attributes:
        known: its symbols, and what these dequantize to.
        bits: (n,) bits a picture.
        decoded: (n, outputs, H, W) what g_s gives; of a layer without a task, its preview.
        preview: (n, 3, H, W), None where it has none.
    """

    known: Known
    bits: Tensor
    decoded: Tensor
    preview: Tensor | None


@dataclass(frozen=True)
class Sizes:
    """All sizes of a layer's networks, the published ones where the choice names none."""

    analysis: dict[str, Any]
    synthesis: dict[str, Any]
    preview: dict[str, Any]

    @property
    def columns(self) -> int:
        """c."""
        return int(self.analysis["latent"])

    @property
    def stride(self) -> int:
        """Pixels between two places."""
        return int(2 ** (len(self.analysis["widths"]) + 1))


def sizes_of(
    choice: LayerChoice, below: Mapping[str, int], outputs: int, answers: Mapping[str, Any] | None = None
) -> Sizes:
    """The sizes of a layer on top of layers with so many columns each, by name. answers: those of what informs g_a."""
    own = {**USUAL[choice.analysis.name], **choice.analysis.sizes}
    stride = 2 ** (len(own["widths"]) + 1)
    if "kernel" in own and "kernel" not in choice.analysis.sizes:
        own["kernel"] = usual_kernel(stride)
    given = {"given": [below[name] for name in choice.given]} if choice.sees[1] else {}
    back = _back(choice, own, stride)
    # A preview is what simple readers can make of a layer: one block, no attention, nothing of other layers.
    simple = {"blocks": 1, "attention": False} if "blocks" in back else {}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
    return Sizes({**plain, **(answers or {})}, {**back, **given, "outputs": outputs}, {**back, **simple, "outputs": 3})


def _back(choice: LayerChoice, own: Mapping[str, Any], stride: int) -> dict[str, Any]:
    """The sizes of a layer's synthesis that its own analysis and the choice settle."""
    kind = choice.synthesis.name
    if kind == "blocks_synthesis":
        kernel = own.get("kernel", usual_kernel(stride))
        return {"kernel": kernel, **choice.synthesis.sizes, "latent": own["latent"], "stride": stride}
    mirrored = own if kind == f"{choice.analysis.name}_synthesis" else PUBLISHED[kind.removesuffix("_synthesis")]
    back = {**mirrored, **choice.synthesis.sizes, "latent": own["latent"]}
    if len(back["widths"]) != len(own["widths"]):
        raise UsageError(f"layers.{choice.name}.synthesis.widths: as many as the analysis has")
    return {key: list(value) if isinstance(value, tuple) else value for key, value in back.items()}


class TrainedLayer(nn.Module):
    """See the module.

    Args:
        choice: what it is.
        below: columns of the layers below, by name.
        outputs: channels of what g_s gives.
        predictor: whose answers g_a sees beside the picture; None: nobody's.
    """

    def __init__(
        self, choice: LayerChoice, below: Mapping[str, int], outputs: int, predictor: nn.Module | None = None
    ) -> None:
        super().__init__()
        told = None if predictor is None else sizes_of_answers(predictor)
        self.choice, self.sizes = choice, sizes_of(choice, below, outputs, told)
        try:
            self.g_a = make(choice.analysis.name, self.sizes.analysis)
        except UsageError as error:
            raise UsageError(f"layers.{choice.name}.analysis: {error}") from error
        if predictor is not None:
            take_predictor(self.g_a, predictor)
        try:
            wanted: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in choice.entropy.items()}
            seen = tuple(below[name] for name in choice.given) if choice.sees[0] else ()
            self.entropy = SpatialEntropy(self.sizes.columns, SpatialOptions(**wanted), seen)
        except UsageError as error:
            raise UsageError(f"layers.{choice.name}.entropy: {error}") from error
        # Without a task the synthesis is the preview.
        self.g_s = None if choice.task == "none" else make(choice.synthesis.name, self.sizes.synthesis)
        self.g_p = None if choice.preview is None else make(choice.synthesis.name, self.sizes.preview)

    def forward(self, x: Tensor, known: Mapping[str, Known]) -> Seen:
        """(n, 3, H, W) pictures in [0, 1], and the layers below by name."""
        height, width = x.shape[2:]
        y = self.g_a(padded(x, self.sizes.stride))
        below = [known[name] for name in self.choice.given]
        given = [each.symbols for each in below] if self.choice.sees[0] else []
        with torch.autocast(x.device.type, enabled=False):
            latent, bits = self.entropy(y.float(), given)
            outside = self.entropy.outside
            known_now = Known(latent if outside is None else outside.quantize(y.float(), given)[0], latent)
        preview = None
        if self.g_p is not None:
            # Without reward the layer is not to know that it is previewed.
            preview = self.g_p(latent if self.choice.preview else latent.detach())[..., :height, :width].float()
        if self.g_s is None:
            assert preview is not None
            return Seen(known_now, bits, preview, preview)
        decoded = self.g_s(latent, [each.values for each in below] if self.choice.sees[1] else ())
        return Seen(known_now, bits, decoded[..., :height, :width].float(), preview)

    def frozen(self) -> Layer:
        """The layer of a codec."""
        choice, sizes = self.choice, self.sizes
        name = choice.synthesis.name
        g_a = pack(choice.analysis.name, sizes.analysis, self.g_a)
        g_p = None if self.g_p is None else pack(name, sizes.preview, self.g_p)
        g_s = g_p if self.g_s is None else pack(name, sizes.synthesis, self.g_s)
        shown = None if choice.task in (*RECONSTRUCTIONS, "none") else g_p
        networks = Networks(g_a, g_s, g_p=shown, means=self._means())
        return Layer(
            choice.name,
            PictureTransform(networks, sizes.columns, sizes.stride),
            UniformQuantizer.unshifted(1.0, 0.5, None, sizes.columns),
            self.entropy.freeze(),
            np.empty((0, sizes.columns), np.float32),
            choice.given,
        )

    def _means(self) -> Network | None:
        outside, options = self.entropy.outside, self.entropy.options
        if outside is None:
            return None
        groups = list(options.sizes(self.sizes.columns))
        sizes = {"groups": groups, "width": options.context, "checkerboard": options.checkerboard}
        return packed_means(outside, {**sizes, "given": list(self.entropy.given)})


class FrozenLayer(nn.Module):
    """A finished codec's layer, of which layers above it see symbols and values. Raises UsageError without g_a."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        transform = layer.transform
        if not isinstance(transform, PictureTransform) or transform.networks.g_a is None:
            raise UsageError(f"below: layer {layer.name} has no analysis of pictures: name the codec that was trained")
        self.layer, self.stride, self.step = layer, transform.stride, layer.quantizer.step
        self.g_a = unpack(transform.networks.g_a)
        means = transform.networks.means
        self.means = None if means is None else unpacked_means(means)

    @torch.no_grad()
    def forward(self, x: Tensor, known: Mapping[str, Known]) -> Known:
        """(n, 3, H, W) pictures in [0, 1], and the layers below by name -> its symbols."""
        with torch.autocast(x.device.type, enabled=False):
            latent = self.g_a(padded(x, self.stride)).float() / self.step
            if self.means is None:
                symbols = torch.round(latent)
                return Known(symbols, symbols * self.step)
            seen = [known[name].symbols for name in self.layer.given] if self.layer.model.given_columns else []
            symbols, values = self.means.quantize(latent, seen)
        return Known(symbols, values * self.step)

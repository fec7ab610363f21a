"""A codec while it is trained: networks, entropy model and distortion, in one loss.

    x --views--> v --g_a--> y --noise--> y_hat --g_s or projection--> distortion
                              \\--entropy model--> rate_bits            loss = distortion + beta * rate_bits

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), section 4, with beta on the rate.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from taskcodec.codec import Codec
from taskcodec.distortions.bince import BINCE
from taskcodec.distortions.feature_l1 import FeatureL1
from taskcodec.distortions.feature_l2 import FeatureL2
from taskcodec.distortions.objective import Objective, Reconstruction, Seen
from taskcodec.distortions.sample_bince import SampleBINCE
from taskcodec.distortions.supervised import Supervised
from taskcodec.distortions.vc import VC
from taskcodec.distortions.vic import VIC
from taskcodec.entropy_models.autoregressive import Autoregressive
from taskcodec.entropy_models.empirical import sketch
from taskcodec.entropy_models.factorized import Factorized
from taskcodec.entropy_models.hyperprior import Hyperprior
from taskcodec.entropy_models.model import EntropyModel
from taskcodec.errors import UsageError, check_one_of
from taskcodec.fitting.closed_form.fit import SKETCH_SIZE
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe
from taskcodec.fitting.gradient.trainable import Losses, Trainable
from taskcodec.layer import BASE, Layer
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.chain import Chain
from taskcodec.transforms.networks.build import make, pack
from taskcodec.transforms.networks.carried import ANALYSES, OF_VECTORS, SYNTHESES, Networks
from taskcodec.transforms.networks.head import Head
from taskcodec.transforms.spec import BackboneSpec

Map = Callable[[Tensor], Tensor]
FREEZE_SAMPLES = 16_384
"""Tables are frozen, and the density is sketched, from at most this many samples of the training data."""
BATCH = 512


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What is trained on, in memory.

    Attributes:
        samples: (n, d) float32 vectors, or (n, C, H, W) uint8 images.
        views: a batch of samples (vectors, or images as float32 in [0, 1]) -> a random view of each. It draws from
            torch's global generator, which is seeded for each step.
        target: for VIC, the batch of samples -> what is to be reconstructed; None for the samples themselves.
        labels: (n,) class numbers, for the supervised objective.
        preprocessing: JSON of what is done to an image before g_a; empty for vectors.
        backbone: what computed the vectors, where they are features.
    """

    samples: Tensor
    views: Map | None = None
    target: Map | None = None
    labels: Tensor | None = None
    preprocessing: Mapping[str, Any] | None = None
    backbone: BackboneSpec | None = None

    def __post_init__(self) -> None:
        """Raises UsageError where samples or labels are not of the shape and type that they must have."""
        x, y = self.samples, self.labels
        if not isinstance(x, Tensor) or (x.ndim, x.dtype) not in ((2, torch.float32), (4, torch.uint8)):
            raise UsageError(f"samples: (n, d) float32 vectors or (n, C, H, W) uint8 images, found {_kind(x)}")
        if y is None:
            return
        if not isinstance(y, Tensor) or (y.shape, y.dtype) != (x.shape[:1], torch.int64) or bool((y < 0).any()):
            raise UsageError(f"labels: a class number from 0 on, int64, for each of {len(x)} samples; found {_kind(y)}")

    @property
    def is_images(self) -> bool:
        """Whether the samples are images."""
        return self.samples.ndim == 4

    def prepared(self, samples: Tensor) -> Tensor:
        """Vectors as they are; images as float32 in [0, 1]."""
        return samples.float() / 255 if self.is_images else samples


class Compressor(Trainable):
    """All that is trained.

    Args:
        recipe: what to build.
        data: settles the sizes that the recipe leaves open.
    """

    def __init__(self, recipe: Recipe, data: TrainingSet) -> None:
        super().__init__()
        self.recipe, self.data = recipe, data
        self.analysis_sizes = analysis_sizes(recipe, data)
        self.g_a = make(recipe.analysis.name, self.analysis_sizes)
        if isinstance(self.g_a, Head):
            self.g_a.standardise(data.samples)
        self.entropy = entropy_model(recipe)
        self.synthesis_sizes = {} if recipe.synthesis is None else synthesis_sizes(recipe.synthesis, recipe, data)
        self.objective = objective(recipe, data, self.synthesis_sizes)
        mean, std = (0.0, 1.0) if not data.is_images else _mean_and_std(data)
        self.mean, self.std = mean, std
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a tenth quicker on a processor

    def analyse(self, x: Tensor) -> Tensor:
        """Prepared samples or views -> (n, k) latent."""
        return torch.as_tensor(self.g_a((x - self.mean) / self.std))

    def forward(self, samples: Tensor, labels: Tensor, ids: Tensor) -> Losses:
        """A batch of samples, their classes and what tells them apart -> its losses, with fresh views and noise."""
        x = self.data.prepared(samples)
        views = [self._view(x) for _ in range(self.objective.views)]
        y_hat, bits = self._coded(torch.cat(views))
        distortion = self.objective.distortion(y_hat.chunk(len(views)), Seen(views, x, labels, ids))
        mean, rate = distortion.mean(), bits.mean()
        return Losses(mean, rate, mean + self.price * self.recipe.beta * rate)

    def entropy_parameters(self) -> Iterable[nn.Parameter]:
        """Of the whole entropy model."""
        return self.entropy.parameters()

    def logged(self) -> dict[str, Tensor]:
        """What the objective tells."""
        return self.objective.logged()

    def _view(self, x: Tensor) -> Tensor:
        if self.data.views is None:
            return x
        with torch.autocast(x.device.type, enabled=False):  # bf16 is for networks: it would shift pixels of a warp
            view = self.data.views(x.clone())  # theirs to change: x itself is the target, or a second view's source
        if not isinstance(view, Tensor) or (view.shape, view.dtype) != (x.shape, x.dtype):
            raise UsageError(f"views: must give what they are given, {_kind(x)}, and gave {_kind(view)}")
        return view

    def _coded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.analyse(x)
        with torch.autocast(y.device.type, enabled=False):
            latent, bits = self.entropy(y.float())
        return latent, bits

    @torch.no_grad()
    def latents(self, samples: Tensor) -> Tensor:
        """(n, ...) samples -> (n, k) latents without noise or augmentation, on the processor."""
        self.eval()
        device = next(self.g_a.parameters()).device
        parts = (samples[i : i + BATCH].to(device) for i in range(0, len(samples), BATCH))
        return torch.cat([self.analyse(self.data.prepared(part)).float().cpu() for part in parts])

    @torch.no_grad()
    def to_codec(self, provenance: Mapping[str, Any]) -> Codec:
        """The trained codec, frozen. `trained_bits`, the entropy model's bits for rounded latents, is added."""
        self.eval()
        every = self.data.samples[:: max(1, -(-len(self.data.samples) // FREEZE_SAMPLES))]
        latent = self.latents(every)
        self.entropy.cpu()
        frozen = self.entropy.freeze(latent)
        bits = float(self.entropy(latent).bits.mean())
        recipe = self.recipe
        g_s = None
        if recipe.synthesis is not None and isinstance(self.objective, Reconstruction | SampleBINCE):
            g_s = pack(recipe.synthesis.name, self.synthesis_sizes, self.objective.g_s)
        networks = Networks(
            pack(recipe.analysis.name, self.analysis_sizes, self.g_a), g_s, dict(self.data.preprocessing or {})
        )
        centred: npt.NDArray[np.float32] = latent.numpy() - frozen.centre
        transform = Chain(networks, AffineTransform("identity", frozen.centre, np.ones_like(frozen.centre)))
        # What codes a column by the columns before it has no density of its own to be taken at another step.
        density = centred[:0] if frozen.model.plain is None else sketch(centred, SKETCH_SIZE)
        base = Layer(BASE, transform, frozen.quantizer, frozen.model, density)
        return Codec.of_layer(base, self.data.backbone, {**provenance, "trained_bits": bits})


def entropy_model(recipe: Recipe) -> EntropyModel:
    """The entropy model of a recipe, untrained."""
    k, relaxation = recipe.columns, recipe.relaxation
    if recipe.entropy_model == "factorized":
        return Factorized(k, relaxation)
    if recipe.entropy_model == "autoregressive":
        return Autoregressive(k, relaxation=relaxation)
    return Hyperprior(k, means=recipe.entropy_model == "mean_scale_hyperprior", relaxation=relaxation)


def objective(recipe: Recipe, data: TrainingSet, synthesis_sizes: Mapping[str, Any]) -> Objective:
    """The distortion of a recipe with its networks, untrained. Raises UsageError where it needs other labels."""
    if recipe.synthesis is not None:
        g_s = make(recipe.synthesis.name, synthesis_sizes)
        if recipe.objective == "VIC":
            return VIC(g_s, data.target)
        if recipe.objective == "BINCE":
            return SampleBINCE(g_s, data.samples[0].numel(), recipe.queue)
        return {"VC": VC, "feature_l1": FeatureL1, "feature_l2": FeatureL2}[recipe.objective](g_s)
    hidden, outputs = recipe.projection
    if recipe.objective == "BINCE":
        return BINCE(recipe.columns, hidden, outputs, recipe.queue)
    if data.labels is None:
        raise UsageError("the supervised objective needs labels")
    if bool((data.labels == data.labels[0]).all()):
        raise UsageError("the supervised objective needs samples of at least 2 classes, found one")
    sizes = {"inputs": recipe.columns, "outputs": int(data.labels.max()) + 1, "hidden": [hidden]}
    return Supervised(make("mlp", sizes))


def analysis_sizes(recipe: Recipe, data: TrainingSet) -> dict[str, Any]:
    """The sizes of g_a, completed from the data. Raises UsageError where network and data do not go together."""
    choice, shape = recipe.analysis, data.samples.shape
    check_one_of("analysis", choice.name, ANALYSES)
    if (choice.name in OF_VECTORS) == data.is_images:
        have = "images" if data.is_images else "vectors"
        raise UsageError(f"analysis {choice.name} does not take {have}, which the data are")
    sizes: dict[str, Any] = {"outputs": recipe.columns}
    sizes |= {"channels": int(shape[1])} if data.is_images else {"inputs": int(shape[1])}
    if choice.name in ("resnet18", "resnet50"):
        sizes["side"] = int(shape[-1])
    return {**choice.sizes, **sizes}


def synthesis_sizes(choice: NetworkChoice, recipe: Recipe, data: TrainingSet) -> dict[str, Any]:
    """The sizes of g_s, completed from what it has to reconstruct."""
    check_one_of("synthesis", choice.name, SYNTHESES)
    example = data.prepared(data.samples[:2])
    shape = (data.target(example) if data.target is not None and recipe.objective == "VIC" else example).shape
    sizes: dict[str, Any] = {**choice.sizes, "inputs": recipe.columns}
    if choice.name == "deconv":
        if len(shape) != 4 or shape[2] != shape[3]:
            raise UsageError(f"synthesis deconv makes square images, the data are {tuple(shape[1:])}")
        return {**sizes, "channels": int(shape[1]), "side": int(shape[2])}
    if len(shape) != 2:
        raise UsageError(f"synthesis mlp makes vectors, the data are {tuple(shape[1:])}")
    return {**sizes, "outputs": int(shape[1])}


def _kind(value: Any) -> str:
    """Shape and type, for a message."""
    return f"{tuple(value.shape)} {value.dtype!s}" if hasattr(value, "dtype") else type(value).__name__


def _mean_and_std(data: TrainingSet) -> tuple[float, float]:
    """Of the pixels, as the codec's preprocessing has them: one value for all channels."""
    described = data.preprocessing or {}
    mean, std = described.get("mean", [0.0]), described.get("std", [1.0])
    if len(set(mean)) != 1 or len(set(std)) != 1 or not all(math.isfinite(v) for v in (*mean, *std)):
        raise UsageError("learned codecs take one mean and one spread for all channels")
    return float(mean[0]), float(std[0])

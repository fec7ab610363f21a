"""Which layers of pictures are trained, for what, and on what below them, as data: no torch here.

    loss = sum over layers of  weight * distortion + beta * bits a pixel + preview * squared error of the preview

"Towards task-compatible compressible representations" (de Andrade and Bajic, 2024): a base for one task, whose loss has
a small reward for how well a simple synthesis rebuilds the picture from it (its beta is `preview` here, where beta is
what a bit costs, as everywhere in taskcodec); and layers on top that are conditional on it. The same words say other
graphs: layers that see none below are simulcast, one layer alone is standalone, and a layer without a task, which two
others see, is Gray and Wyner's common part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from taskcodec.errors import UsageError, check_one_of, shortened
from taskcodec.fitting.gradient.recipe import LARGEST_NUMBER, NetworkChoice
from taskcodec.transforms.networks.carried import PICTURE_ANALYSES, PICTURE_SYNTHESES

Conditional = Literal["both", "entropy", "synthesis"]
CONDITIONALS: tuple[Conditional, ...] = ("both", "entropy", "synthesis")
TASKS = ("mse", "ms_ssim", "classification", "segmentation", "depth", "detection", "none")
"""What a layer may be for; "none" keeps only what layers above make use of."""
RECONSTRUCTIONS = ("mse", "ms_ssim")
_STACK = ("widths", "latent", "blocks", "narrow", "attention")
NETWORK_SIZES: Mapping[str, tuple[str, ...]] = {
    "light": _STACK,
    "elic": _STACK,
    "blocks": (*_STACK, "kernel"),
    "light_synthesis": _STACK,
    "elic_synthesis": _STACK,
    "blocks_synthesis": ("kernel", "inner"),
}
"""Sizes of networks of pictures that the layers leave open (a test compares them with the networks' own)."""
SETTLED_BY_PREDICTOR = ("reads", "classes", "boxes")
"""Sizes of an analysis that follow from the predictor that informs it."""
SETTLED = ("latent", "stride", "given", "outputs")
"""Sizes of a synthesis that follow from the layers."""
INFORMED = ("light", "elic")
"""Analyses that may see a predictor's answers."""
ENTROPY_SIZES = ("side", "hyper", "groups", "checkerboard", "context", "levels", "phases", "means")
"""Those of `taskcodec.entropy_models.spatial.SpatialOptions`, which imports torch (a test compares them)."""


@dataclass(frozen=True)
class LayerChoice:
    """One layer that is trained.

    Attributes:
        name: what it is called in files.
        analysis, synthesis: g_a and g_s. A g_s of the kind of g_a mirrors it: sizes that it does not name are g_a's.
        task: one of TASKS.
        predictor: a frozen predictor that reads what g_s gives as a picture, by its name or its file; without one g_s
            answers itself: scores of classes or depth at each pixel, or their mean over all.
        given: layers below that it is conditional on.
        conditional: whether entropy model and synthesis see these, or one of them.
        preview: what a squared error of a preview from this layer alone costs: the reward on what can be rebuilt from
            it. At 0 the preview is trained all the same, and the layer knows nothing of it. None for no preview.
        beta: what a bit a pixel costs, in units of the distortion; None for the recipe's.
        weight: of its distortion among those of layers trained together.
        entropy: sizes of the entropy model.
        begin: the checkpoint of another training, or its folder, whose layer of this name (or the only one) it begins
            with; None: fresh weights.
        informed_by: a frozen predictor whose answers the analysis sees beside the picture, by its name or its file: one
            of the small kind, whose weights travel with the codec.
    """

    name: str
    analysis: NetworkChoice
    synthesis: NetworkChoice
    task: str = "mse"
    predictor: str | None = None
    given: tuple[str, ...] = ()
    conditional: Conditional = "both"
    preview: float | None = None
    beta: float | None = None
    weight: float = 1.0
    entropy: Mapping[str, Any] = field(default_factory=dict)
    begin: str | None = None
    informed_by: str | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum() or not self.name.isascii():
            raise UsageError(f"name must be letters, digits, - and _, found {self.name!r}")
        check_one_of("analysis.name", self.analysis.name, PICTURE_ANALYSES)
        check_one_of("synthesis.name", self.synthesis.name, PICTURE_SYNTHESES)
        check_one_of("task", self.task, TASKS)
        check_one_of("conditional", self.conditional, CONDITIONALS)
        for key in self.analysis.sizes:
            check_one_of("size of analysis", key, NETWORK_SIZES[self.analysis.name])
        for key in self.synthesis.sizes:
            if key in SETTLED:
                raise UsageError(f"synthesis.{key}: follows from the layers; leave it out")
            check_one_of("size of synthesis", key, NETWORK_SIZES[self.synthesis.name])
        for key in self.entropy:
            check_one_of("entropy", key, ENTROPY_SIZES)
        for key in ("preview", "weight"):
            value = getattr(self, key)
            if value is not None and not 0 <= value <= LARGEST_NUMBER:
                raise UsageError(f"{key} must be a number of at least 0, found {shortened(value)}")
        if self.beta is not None:
            check_beta(self.beta)
        self._check_used()

    def _check_used(self) -> None:
        """Raise UsageError on what would have no effect."""
        if self.predictor is not None and self.task in (*RECONSTRUCTIONS, "none"):
            raise UsageError(f"predictor: has no effect with task {self.task}; leave it out")
        if self.predictor is None and self.task == "detection":
            raise UsageError("predictor: missing: detection needs a detector")
        if self.informed_by is not None and self.analysis.name not in INFORMED:
            raise UsageError(f"informed_by: only an analysis of {' or '.join(INFORMED)} sees what a predictor says")
        if self.task == "none" and self.preview is None:
            raise UsageError("preview: missing: without a task a layer's synthesis is its preview, at 0 without reward")
        if self.conditional != "both" and not self.given:
            raise UsageError("conditional: has no effect without given; leave it out")

    @property
    def sees(self) -> tuple[bool, bool]:
        """Whether its entropy model, and its synthesis, see the layers below that it names."""
        return bool(self.given) and self.conditional != "synthesis", bool(self.given) and self.conditional != "entropy"


@dataclass(frozen=True)
class LayersRecipe:
    """What is trained, and how it is weighed.

    Attributes:
        layers: from the lowest to the highest.
        beta: what a bit a pixel costs, in units of a layer's distortion.
        joint: train all layers together, so that what is above shapes what is below; without it each is trained when
            those below it are finished, and leaves them as they are.
        crop: side of the squares that are cut from pictures for training, in pixels.
    """

    layers: tuple[LayerChoice, ...]
    beta: float
    joint: bool = False
    crop: int = 128

    def __post_init__(self) -> None:
        check_beta(self.beta)
        if not 1 <= self.crop <= 1 << 12:
            raise UsageError(f"crop must be from 1 to {1 << 12}, found {shortened(self.crop)}")
        names = [layer.name for layer in self.layers]
        if not names or len(set(names)) < len(names):
            raise UsageError("layers: at least one, and each with a name of its own")

    def stages(self) -> list[tuple[LayerChoice, ...]]:
        """The layers of each training, one after the other."""
        return [self.layers] if self.joint else [(layer,) for layer in self.layers]

    def beta_of(self, layer: LayerChoice) -> float:
        """What a bit a pixel of a layer costs."""
        return self.beta if layer.beta is None else layer.beta


def check_beta(beta: float) -> None:
    """Raise UsageError unless a bit can cost so much."""
    if not 0 < beta <= LARGEST_NUMBER:
        raise UsageError(f"beta must be a positive number, found {shortened(beta)}")

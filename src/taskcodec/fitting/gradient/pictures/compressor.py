"""Layers of pictures while they are trained: what `taskcodec.fitting.gradient.training` trains.

pictures --frozen layers--> symbols below --trained layers--> decoded, bits, previews --tasks--> loss
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from taskcodec.codec import Codec
from taskcodec.distortions.tasks import Task, Truth
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.answers import check_known, outputs_of, task_of
from taskcodec.fitting.gradient.pictures.begun import begin_layer
from taskcodec.fitting.gradient.pictures.data import Batch, PictureSet, batch_of, crop_of
from taskcodec.fitting.gradient.pictures.layers import FrozenLayer, Known, Seen, TrainedLayer
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.start import start_layer
from taskcodec.fitting.gradient.trainable import Losses, Trainable

MEASURED = 64
"""Bits are estimated on at most so many whole pictures."""
STARTED, STARTED_SIDE = 256, 128
"""Pictures that first weights follow from, and pixels of their sides, at most."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """What a training takes as it is.

    Attributes:
        below: a codec of pictures whose layers lie below those that are trained.
        predictors: frozen networks by the names that layers give.
    """

    below: Codec | None = None
    predictors: Mapping[str, nn.Module] = field(default_factory=dict)


class LayersCompressor(Trainable):
    """All that is trained at one time.

    Args:
        layers: those that are trained.
        recipe: how they are weighed.
        data: settles classes, and whether there is what tasks ask for.
        fixed: what stays as it is.
    """

    # Squared errors of values in [0, 1] and bits a pixel, each times beta, have gradients of 1e-10 to 1e-8 in the
    # networks of an entropy model: at Adam's usual epsilon these learned at a hundredth to a half of their rate.
    least_gradient = 1e-15

    def __init__(self, layers: Sequence[LayerChoice], recipe: LayersRecipe, data: PictureSet, fixed: Fixed) -> None:
        super().__init__()
        self.recipe, self.data, self.below = recipe, data, fixed.below
        under = () if fixed.below is None else fixed.below.layers
        self.under = nn.ModuleDict({layer.name: FrozenLayer(layer) for layer in under})
        self.layers, self.tasks = nn.ModuleDict(), nn.ModuleDict()
        columns = {layer.name: layer.transform.columns for layer in under}
        strides = {name: layer.stride for name, layer in self._frozen().items()}
        for choice in layers:
            _check_place(choice, list(columns))
            check_known(choice, data)
            own = TrainedLayer(
                choice, columns, outputs_of(choice, data), _predictor(choice, "informed_by", fixed.predictors)
            )
            for name in choice.given:
                if strides[name] != own.sizes.stride:
                    raise UsageError(
                        f"layers.{choice.name}.analysis.widths: {name}, which it is given, has another stride"
                    )
            task = task_of(choice, _predictor(choice, "predictor", fixed.predictors))
            self.layers[choice.name] = own
            if task is not None:
                self.tasks[choice.name] = task
            columns[choice.name], strides[choice.name] = own.sizes.columns, own.sizes.stride
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a tenth quicker on a processor
        self._start()
        self._last: dict[str, Tensor] = {}

    def _start(self) -> None:
        some = self.data.pictures[:: max(1, len(self.data.pictures) // STARTED)]
        side = min(self.recipe.crop, STARTED_SIDE)
        crops = batch_of([crop_of(picture, 0, 0, (side, side)) for picture in some]).truth.pictures
        for layer in self._trained():
            start_layer(layer, crops, self.recipe.beta_of(layer.choice))
            if layer.choice.begin is not None:
                begin_layer(layer, layer.choice.begin)

    def _frozen(self) -> dict[str, FrozenLayer]:
        return {name: layer for name, layer in self.under.items() if isinstance(layer, FrozenLayer)}

    def _trained(self) -> list[TrainedLayer]:
        return [layer for layer in self.layers.values() if isinstance(layer, TrainedLayer)]

    def _known_below(self, x: Tensor) -> dict[str, Known]:
        known = dict[str, Known]()
        for name, layer in self._frozen().items():
            known[name] = layer(x, known)
        return known

    def seen(self, x: Tensor) -> dict[str, Seen]:
        """(n, 3, H, W) pictures in [0, 1] -> what each trained layer makes of them."""
        known, found = self._known_below(x), dict[str, Seen]()
        for layer in self._trained():
            found[layer.choice.name] = layer(x, known)
            known[layer.choice.name] = found[layer.choice.name].known
        return found

    def forward(self, *batch: Any) -> Losses:
        """A `Batch` -> means over its crops: distortions as weighed, bits a crop, what is lowered."""
        truth = Batch(*batch).truth
        pixels = truth.pictures.shape[2] * truth.pictures.shape[3]
        distortion = rate = loss = torch.zeros((), device=truth.pictures.device)
        self._last = {}
        for name, seen in self.seen(truth.pictures).items():
            layer = self.layers[name]
            assert isinstance(layer, TrainedLayer)
            own, bits = self._distortion(layer.choice, seen, truth), seen.bits.mean()
            distortion, rate = distortion + own, rate + bits
            loss = loss + own + self.price * self.recipe.beta_of(layer.choice) * bits / pixels
            self._last[f"{name}_bits_per_pixel"] = bits.detach() / pixels
            if seen.preview is not None:
                error = (seen.preview - truth.pictures).square().mean()
                # Where there is no reward, the preview alone learns from it.
                loss = loss + (layer.choice.preview or 1.0) * error
                self._last[f"{name}_preview_mse"] = error.detach()
        return Losses(distortion, rate, loss)

    def _distortion(self, choice: LayerChoice, seen: Seen, truth: Truth) -> Tensor:
        if choice.name not in self.tasks:
            return torch.zeros((), device=truth.pictures.device)
        task = self.tasks[choice.name]
        assert isinstance(task, Task)
        lost = task.loss(seen.decoded, truth).mean()
        self._last[f"{choice.name}_distortion"] = lost.detach()
        return torch.as_tensor(choice.weight * lost)

    def entropy_parameters(self) -> Iterable[nn.Parameter]:
        """Of the factorized densities: the networks of an entropy model learn as the transforms do."""
        return (parameter for layer in self._trained() for parameter in layer.entropy.density.parameters())

    def logged(self) -> dict[str, Tensor]:
        """Of each layer bits a pixel, distortion, and the squared error of its preview."""
        return self._last

    @torch.no_grad()
    def to_codec(self, provenance: Mapping[str, Any]) -> Codec:
        """The trained layers, frozen, on those below.

        `trained_bits` are bits a picture, and `layer_bits` those of each layer: estimates of the float models of what
        was trained, and of the tables of what lies below, on whole pictures.
        """
        self.eval()
        below = () if self.below is None else self.below.layers
        own = [layer.frozen() for layer in self._trained()]
        every = self.data.pictures[:: max(1, -(-len(self.data.pictures) // MEASURED))]
        found: dict[str, list[float]] = {layer.name: [] for layer in (*below, *own)}
        for picture in every:
            x = batch_of([picture]).truth.pictures
            known = self._known_below(x)
            for layer in below:
                given = [known[name].symbols.numpy().astype(np.int32) for name in layer.given]
                symbols = known[layer.name].symbols.numpy().astype(np.int32)
                model = layer.model
                found[layer.name].append(float(model.code_length(symbols, given if model.given_columns else ())[0]))
            for name, seen in self.seen(x).items():
                found[name].append(float(seen.bits[0]))
        bits = {name: float(np.mean(values)) for name, values in found.items()}
        record = {**provenance, "trained_bits": sum(bits.values()), "layer_bits": bits}
        return Codec("pictures", (*below, *own), provenance=record)


def _check_place(choice: LayerChoice, below: Sequence[str]) -> None:
    """Raise UsageError unless a layer's name is new, and those that it is given lie below it."""
    if choice.name in below:
        raise UsageError(f"layers.{choice.name}: a layer of this name lies below it")
    for name in choice.given:
        if name not in below:
            known = ", ".join(below) or "none"
            raise UsageError(f"layers.{choice.name}.given: {name} is no layer below it; there are: {known}")


def _predictor(
    choice: LayerChoice, key: Literal["predictor", "informed_by"], predictors: Mapping[str, nn.Module]
) -> nn.Module | None:
    name = choice.predictor if key == "predictor" else choice.informed_by
    if name is None:
        return None
    if name not in predictors:
        raise UsageError(f"layers.{choice.name}.{key}: {name} is not among the predictors given")
    return predictors[name]

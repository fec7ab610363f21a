"""A second synthesis on a finished code, which is fed noise, so that what it gives has the law of the data.

    symbols --g_s--> the mean of all that fits them: least squared error, and blurred
    symbols, noise --g_r--> one of those that fit them

    loss = E |x - a| - 1/2 E |a - b|        a, b: g_r of the same symbols and two draws of noise, or pairs of more

That is the energy score, which is least where a has the law of x given the symbols (Gneiting and Raftery, "Strictly
proper scoring rules, prediction, and estimation", JASA 2007; to train networks: Bouchacourt et al., "DISCO nets", NIPS
2016). A draw from that law has twice the least squared error, and no symbol changes: encoder, model and files stay as
they are ("Universal rate-distortion-perception representations for lossy compression", NeurIPS 2021, for why that
loses little). |.| is the root of the mean square over a window; scores of windows of several sizes are added. Draws are
clipped as decoding clips them: else black comes out as a faint noise about it, whose upper half is seen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.checkpoints import flat
from taskcodec.fitting.gradient.pictures.data import Batch, PictureSet, loader
from taskcodec.fitting.gradient.pictures.layers import FrozenLayer, Known
from taskcodec.fitting.gradient.pictures.realism_recipe import RealismRecipe
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.fitting.gradient.trainable import Losses, Trainable
from taskcodec.fitting.gradient.training import Progress, Samples, Trained, Work, check_samples, run, seeded
from taskcodec.layer import Layer, needed_of
from taskcodec.quantization.straight_through import clip_inward
from taskcodec.stack.pictures import learned
from taskcodec.transforms.networks.build import make, pack, unpack

NOISE_START = 0.1
"""Weights that read noise start so much smaller than others would."""
LEAST = 1e-8
"""Added to a mean square before its root is taken, which has no slope at 0."""


class RealismCompressor(Trainable):
    """What is trained: g_r of one layer; all else is finished. Raises UsageError where the layer is not to be had."""

    def __init__(self, codec: Codec, recipe: RealismRecipe) -> None:
        super().__init__()
        self.codec, self.recipe = codec, recipe
        needed = needed_of(codec.layers, recipe.layer)
        self.under = nn.ModuleDict({layer.name: FrozenLayer(layer) for layer in needed})
        self.layer = needed[-1]
        transform = learned(self.layer)
        if transform.outputs != 3:
            raise UsageError(f"realism.{recipe.layer}: gives {transform.outputs} channels, which are no picture")
        self.stride = transform.stride
        self.name, self.sizes = _network(self.layer, recipe)
        self.g_r = make(self.name, self.sizes)
        before = transform.networks.g_r
        same_noise = transform.noise_columns == recipe.noise
        for found in [before] * same_noise + [transform.g_s]:
            if found is not None and (self.name, _plain(self.sizes)) == (found.name, _plain(found.sizes)):
                start_from(self.g_r, unpack(found))
                break

    def forward(self, *batch: Any) -> Losses:
        """A `Batch` -> the score; squared error of the first draw stands for distortion."""
        x = Batch(*batch).truth.pictures
        latent, below = self._known(x)
        height, width = x.shape[2:]
        drawn = [self._draw(latent, below)[..., :height, :width] for _ in range(self.recipe.draws)]
        loss = torch.stack([score(x, drawn, side) for side in self.recipe.windows]).sum()
        return Losses((drawn[0] - x).square().mean(), torch.zeros_like(loss), loss)

    @torch.no_grad()
    def _known(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        known = dict[str, Known]()
        for name, layer in self.under.items():
            known[name] = layer(x, known)
        seen = self.layer.given if learned(self.layer).given_columns else ()
        return known[self.layer.name].values, [known[name].values for name in seen]

    def _draw(self, latent: Tensor, below: list[Tensor]) -> Tensor:
        noise = torch.randn(len(latent), self.recipe.noise, *latent.shape[2:], device=latent.device)
        return clip_inward(self.g_r(latent, [*below, noise]).float(), 0.0, 1.0)

    def entropy_parameters(self) -> Iterable[nn.Parameter]:
        """None: the code is finished."""
        return ()

    def to_codec(self, provenance: Mapping[str, Any]) -> Codec:
        """The codec with the second synthesis in the layer; its symbols and bytes of pictures are what they were."""
        transform = learned(self.layer)
        networks = replace(transform.networks, g_r=pack(self.name, self.sizes, self.g_r))
        own = replace(self.layer, transform=replace(transform, networks=networks))
        layers = tuple(own if layer is self.layer else layer for layer in self.codec.layers)
        return replace(self.codec, layers=layers, provenance={**self.codec.provenance, **provenance})


def score(x: Tensor, drawn: Sequence[Tensor], side: int) -> Tensor:
    """The energy score of draws (n, c, H, W), two or more, in the mean over windows of this side, half overlapping."""
    away = torch.stack([_roots(x, a, side).mean() for a in drawn]).mean()
    apart = torch.stack([_roots(a, b, side).mean() for a, b in combinations(drawn, 2)]).mean()
    return away - apart / 2


def _roots(u: Tensor, v: Tensor, side: int) -> Tensor:
    window = (min(side, u.shape[2]), min(side, u.shape[3]))
    squares = (u - v).square().mean(1, keepdim=True)
    steps = (max(1, window[0] // 2), max(1, window[1] // 2))
    return torch.sqrt(nn.functional.avg_pool2d(squares, window, steps) + LEAST)


@torch.no_grad()
def start_from(g_r: nn.Module, g_s: nn.Module) -> None:
    """Give g_r, a network as g_s but for noise among its inputs, the weights of g_s; what reads noise starts small."""
    found = g_s.state_dict()
    for key, weight in g_r.state_dict().items():
        there = found[key]
        if there.shape == weight.shape:
            weight.copy_(there)
        elif there.ndim == 4 and there.shape[1:] == weight.shape[1:]:  # transposed: inputs first, noise last of them
            weight[: len(there)] = there
            weight[len(there) :] *= NOISE_START


def _network(layer: Layer, recipe: RealismRecipe) -> tuple[str, dict[str, Any]]:
    """Name and sizes of g_r."""
    transform, choice = learned(layer), recipe.synthesis
    g_s = transform.g_s
    given = {"given": [*g_s.sizes.get("given", ()), recipe.noise]}
    if choice is None or choice.name == g_s.name:
        return g_s.name, {**g_s.sizes, **({} if choice is None else choice.sizes), **given}
    settled: dict[str, Any] = {"latent": transform.columns}
    if choice.name == "blocks_synthesis":
        settled["stride"] = transform.stride
    return choice.name, {**choice.sizes, **settled, **given}


def _plain(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes that are the same of g_s and of a g_r like it, as JSON would have them."""
    own = {key: value for key, value in sizes.items() if key != "given"}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()} | {
        "outputs": own.get("outputs", 3)
    }


def train_realism(
    data: PictureSet,
    codec: Codec,
    recipe: RealismRecipe,
    schedule: Schedule,
    work: Work | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Add a second synthesis to a finished codec of pictures.

    Args:
        data: what to train on.
        codec: with its analysis, as it was trained.
        recipe: for which layer, and what it is.
        schedule: how.
        work: where checkpoints and logs are kept.
        provenance: free JSON, recorded in the codec.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: a codec without such a layer, or a training that diverged.
        MismatchError, CorruptFileError, ProcessError, SystemExit: as `taskcodec.fitting.gradient.training.train`.
    """
    check_samples(len(data.pictures), schedule)
    with seeded(schedule.seed, -1, 0):
        compressor = RealismCompressor(codec, recipe)
    told = {"layer": recipe.layer, **recipe.described(), "schedule": asdict(schedule), "of": codec.fingerprint}
    record = {"realism": {**told, **(provenance or {})}}
    identity = {} if work is None else flat({**record, "data": data.identity()})
    samples = Samples(len(data.pictures), partial(loader, data, recipe.crop), identity)
    return run(compressor, samples, schedule, work, record, progress)

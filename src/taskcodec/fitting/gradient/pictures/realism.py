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

Grain (`taskcodec.transforms.networks.pictures.grain`) is the same but that it is added to what g_s gives. Beside the
score there may be an adversary, `taskcodec.fitting.gradient.pictures.judge`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from taskcodec.codec import Codec
from taskcodec.errors import UsageError, shortened
from taskcodec.fitting.gradient.checkpoints import flat
from taskcodec.fitting.gradient.pictures.data import Batch, PictureSet, loader
from taskcodec.fitting.gradient.pictures.judge import Judge
from taskcodec.fitting.gradient.pictures.layers import FrozenLayer, Known
from taskcodec.fitting.gradient.pictures.realism_recipe import JudgeChoice, RealismRecipe
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.fitting.gradient.trainable import Losses, Trainable
from taskcodec.fitting.gradient.training import Progress, Samples, Trained, Work, check_samples, run, seeded
from taskcodec.layer import Layer, needed_of
from taskcodec.quantization.straight_through import clip_inward
from taskcodec.stack.pictures import learned
from taskcodec.transforms.backbones import load_backbone
from taskcodec.transforms.backbones.base import Backbone
from taskcodec.transforms.networks.build import make, pack, unpack
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.networks.pictures.grain import GRAIN as GRAIN_SIZES
from taskcodec.transforms.networks.pictures.grain import GrainSynthesis, noise_columns
from taskcodec.transforms.networks.pictures.stacks import PictureSynthesis

NOISE_START = 0.1
"""Weights that read noise start so much smaller than others would."""
ADVERSARIAL = (0.0, 0.99)
"""Adam's memory where an adversary changes at each step what is good (Karras et al., "Progressive growing of GANs",
ICLR 2018, likewise)."""
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
        self.g_s = unpack(transform.g_s)
        self.name, self.sizes = _network(self.layer, recipe)
        self.noise = int(self.sizes["given"][-1])
        self.g_r = make(self.name, self.sizes)
        self._start(transform.networks)
        choice = recipe.judge
        self.judge = None if choice is None else Judge(choice, _backbone_of(choice), recipe.crop)
        if self.judge is not None:
            self.memory = ADVERSARIAL
        self._judged = dict[str, Tensor]()

    def _start(self, networks: Networks) -> None:
        """Give it the weights of one like it: of an earlier training, or of g_s."""
        before, own = networks.grain if self.recipe.is_grain else networks.g_r, _plain(self.name, self.sizes)
        if before is not None and before.sizes["given"][-1] == self.noise and _plain(before.name, before.sizes) == own:
            start_from(self.g_r, unpack(before))
        elif isinstance(self.g_r, GrainSynthesis):
            if isinstance(self.g_s, PictureSynthesis):
                self.g_r.start_from(self.g_s)
        elif networks.g_s is not None and _plain(networks.g_s.name, networks.g_s.sizes) == own:
            start_from(self.g_r, self.g_s)

    def forward(self, *batch: Any) -> Losses:
        """A `Batch` -> the score; squared error of the first draw stands for distortion."""
        x = Batch(*batch).truth.pictures
        latent, below = self._known(x)
        faithful = self._faithful(latent, below)
        drawn = [self._draw(latent, below, faithful)[..., : x.shape[2], : x.shape[3]] for _ in range(self.recipe.draws)]
        loss = torch.stack([score(x, drawn, side) for side in self.recipe.windows]).sum()
        if self.judge is not None:
            seen = faithful[..., : x.shape[2], : x.shape[3]].clamp(0, 1)
            verdict = self.judge(x, drawn[0], seen)
            loss = loss + self.judge.weight * verdict.of_drawn + verdict.own
            self._judged = {"judge": verdict.own}
        return Losses((drawn[0] - x).square().mean(), torch.zeros_like(loss), loss)

    def logged(self) -> dict[str, Tensor]:
        """What the judge loses."""
        return self._judged

    @torch.no_grad()
    def _known(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        known = dict[str, Known]()
        for name, layer in self.under.items():
            known[name] = layer(x, known)
        seen = self.layer.given if learned(self.layer).given_columns else ()
        return known[self.layer.name].values, [known[name].values for name in seen]

    @torch.no_grad()
    def _faithful(self, latent: Tensor, below: list[Tensor]) -> Tensor:
        """What g_s gives; nothing where nobody asks."""
        asked = self.recipe.is_grain or self.judge is not None
        return self.g_s(latent, below).float() if asked else latent.new_zeros(0)

    def _draw(self, latent: Tensor, below: list[Tensor], faithful: Tensor) -> Tensor:
        noise = torch.randn(len(latent), self.noise, *latent.shape[2:], device=latent.device)
        found = self.g_r(latent, [*below, noise]).float()
        return clip_inward(faithful + found if self.recipe.is_grain else found, 0.0, 1.0)

    def entropy_parameters(self) -> Iterable[nn.Parameter]:
        """None: the code is finished."""
        return ()

    def to_codec(self, provenance: Mapping[str, Any]) -> Codec:
        """The codec with the second synthesis in the layer; its symbols and bytes of pictures are what they were."""
        transform = learned(self.layer)
        found = pack(self.name, self.sizes, self.g_r)
        grain = self.recipe.is_grain
        networks = replace(transform.networks, g_r=None if grain else found, grain=found if grain else None)
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


def _backbone_of(choice: JudgeChoice) -> Backbone:
    """Loading draws numbers where it is the first time: the chance of what follows stays as it is."""
    with torch.random.fork_rng():
        return load_backbone(choice.backbone)


def _network(layer: Layer, recipe: RealismRecipe) -> tuple[str, dict[str, Any]]:
    """Name and sizes of g_r."""
    transform, choice = learned(layer), recipe.synthesis
    g_s = transform.g_s
    noise = noise_columns(transform.stride, recipe.noise_channels) if recipe.is_grain else recipe.noise_channels
    given = {"given": [*g_s.sizes.get("given", ()), noise]}
    if choice is None or choice.name == g_s.name:
        return g_s.name, {**g_s.sizes, **({} if choice is None else choice.sizes), **given}
    settled: dict[str, Any] = {"latent": transform.columns}
    if choice.name == "blocks_synthesis":
        settled["stride"] = transform.stride
    if recipe.is_grain:
        # Where g_s is a stack grain begins as one like it.
        settled |= {key: g_s.sizes[key] for key in ("widths", "blocks", "narrow") if key in g_s.sizes}
        settled["noise"] = recipe.noise_channels
        steps, widths = transform.stride.bit_length() - 1, {**GRAIN_SIZES, **settled, **choice.sizes}["widths"]
        if len(widths) != steps - 1:
            raise UsageError(
                f"realism.{recipe.layer}.synthesis.widths: expected {steps - 1} of them, since the latent has a place "
                f"every {transform.stride} pixels; found {shortened(list(widths))}"
            )
    return choice.name, {**settled, **choice.sizes, **given}


def _plain(name: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Name and sizes that are the same of g_s and of a g_r like it, as JSON would have them."""
    own = {key: value for key, value in sizes.items() if key != "given"}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()} | {
        "name": name,
        "outputs": own.get("outputs", 3),
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

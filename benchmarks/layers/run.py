"""A base for a task and layers on top of it: what conditions and previews are worth, in files.

    python benchmarks/layers/run.py --work W [--out benchmarks/results/layers] [--experiments ...] [--seeds 0 1 2]
    python benchmarks/layers/run.py --work W --data DATA --out benchmarks/results/layers/real --experiments REAL ...
    python benchmarks/layers/run.py --work W --summary          # tables and plots of what is there already

The experiments of "Towards task-compatible compressible representations" (de Andrade and Bajic, 2024) on procedural
scenes: pictures over detection, pictures over depth, segmentation over depth. And on real sets (`materials.py`):
pictures over segmentation (camvid12, coco256) and over depth (osd_rgbd). For each seed:

    base(reward, beta)      for rewards on the preview (0 is the baseline) and four prices of a bit; real sets: one
    top(reward, beta)       conditional on the base of the price that was trained first, which stays as it is
    free(beta)              the same layer without any other: alone, and what simulcast sends beside the base
    long(beta)              on real sets: free, with as many steps as all have had on which a top lies, and itself

A layer for pictures starts from fresh weights at one price; what is for a task begins with a layer of its kind for
pictures, and each other price with its neighbour. So conditional and unconditional layers have had the same steps.
Predictors are frozen (benchmarks/train_predictor.py makes small ones where W has none). Every row is of real packets
of whole unseen pictures. Each training is a piece of its own: run again, what is in W is not made again, and a
training that was stopped goes on.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from materials import MATERIALS, ROOT, TASKS
from summary import write_summary

sys.path.insert(0, str(Path(__file__).parents[1]))
from stamp import stamp

import taskcodec
from taskcodec.coding.picture import split_picture
from taskcodec.distortions.tasks import SquaredError
from taskcodec.evaluation.dense.of_task import PictureTask, score_pictures
from taskcodec.fitting.gradient.pictures.compressor import Fixed
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from taskcodec.fitting.gradient.training import Work

ANALYSIS = NetworkChoice("light", {"widths": [24, 48], "latent": 32, "blocks": 1, "narrow": 2})
SYNTHESIS = NetworkChoice("light_synthesis")
ENTROPY = {"side": 16, "hyper": 32, "context": 32}
DRAWS = 200
"""Of test pictures, for intervals."""


@dataclass(frozen=True)
class Experiment:
    """What it works on, the task of the base, and that of layers on top.

    pictures: the experiment on the same material whose layers for pictures others begin with; None: its own.
    """

    on: str
    base: str
    top: str
    pictures: str | None = None

    @property
    def material(self):
        return MATERIALS[self.on]


SCENES = {
    "picture_over_detection": Experiment("scenes", "detection", "mse", "picture_over_depth"),
    "picture_over_depth": Experiment("scenes", "depth", "mse"),
    "segmentation_over_depth": Experiment("scenes", "depth", "segmentation", "picture_over_depth"),
}
REAL = {
    "camvid12_picture_over_segmentation": Experiment("camvid12", "segmentation", "mse"),
    "osd_rgbd_picture_over_depth": Experiment("osd_rgbd", "depth", "mse"),
    "coco256_picture_over_segmentation": Experiment("coco256", "segmentation", "mse"),
}
EXPERIMENTS = SCENES | REAL
LONG = ("long",)
ALONE = ("free", "long")
"""Kinds of layers without any other."""


@dataclass(frozen=True)
class Piece:
    """One training. kind: base, top, free or long; reward: on the base's preview; place: among the prices."""

    experiment: str
    seed: int
    kind: str
    reward: float
    place: int

    @property
    def of(self):
        return EXPERIMENTS[self.experiment]

    @property
    def task(self):
        return self.of.base if self.kind == "base" else self.of.top

    @property
    def beta(self):
        return self.of.material.betas[self.task][self.place]

    @property
    def name(self):
        """The same for what experiments share."""
        on = "" if self.of.on == "scenes" else f"{self.of.on}-"
        over = f"over-{self.of.base}-" if self.kind == "top" else ""
        reward = "" if self.kind in ALONE else f"-r{self.reward:g}"
        return f"{on}{self.kind}-{over}{self.task}{reward}-b{self.place}-s{self.seed}"

    def base(self):
        return replace(self, kind="base", place=self.of.material.first_of(self.of.base))

    def begin(self):
        """The piece whose weights it begins with; None: fresh ones."""
        first = self.of.material.first_of(self.task)
        if self.place != first:
            return replace(self, place=self.place + (1 if self.place < first else -1))
        if self.task == "mse":
            return None
        pictures = replace(self, experiment=self.of.pictures or self.experiment)
        pictures = replace(pictures, place=self.of.material.first_of("mse"))
        return replace(pictures, kind="free", reward=0.0) if self.kind == "base" else pictures

    def steps(self, options):
        """Of its training: fresh ones take all, a new task half, a new price a fifth."""
        begin, every = self.begin(), options.steps or self.of.material.steps
        if self.kind == "long" and begin is None:
            return max(2, 5 * every // 2)  # pictures, the base that begins with them, and a top
        return max(2, every // (1 if begin is None else 5 if begin.task == self.task else 2))


def pieces(options):
    """In an order in which early ones say something already: seed by seed, bases first, prices as they are trained."""
    return [
        Piece(name, seed, kind, reward, place)
        for kinds in (("base", "top", "free"), LONG)
        for seed in options.seeds
        for name, of in ((name, EXPERIMENTS[name]) for name in options.experiments if kinds != LONG or name in REAL)
        for kind in kinds
        for task in (of.base if kind == "base" else of.top,)
        for reward in (of.material.rewards[of.base] if kind not in ALONE else (0.0,))
        for place in nearest_first(len(of.material.betas[task]), of.material.first_of(task))
    ]


def nearest_first(count, first):
    return sorted(range(count), key=lambda place: abs(place - first))


def train(piece, options):
    """The piece's codec, from W or trained."""
    file = options.work / f"{piece.name}.codec"
    if file.exists():
        return taskcodec.load_codec(file)
    material = piece.of.material
    name, network = material.predictor(piece.task, options) if piece.task in TASKS else (None, None)
    begin = piece.begin()
    if begin is not None:
        train(begin, options)
    layer = LayerChoice(
        "base" if piece.kind == "base" else "top",
        ANALYSIS,
        SYNTHESIS,
        task=piece.task,
        predictor=name,
        given=("base",) if piece.kind == "top" else (),
        preview=piece.reward if piece.kind == "base" else None,
        entropy=ENTROPY,
        begin=None if begin is None else str(options.work / f"{begin.name}.training"),
    )
    data = material.train(options, piece.seed)
    steps, rate = piece.steps(options), 3e-3 if begin is None else 1e-3
    schedule = Schedule(steps, material.batch, rate, warmup=min(50, steps), checkpoint_every=250, seed=piece.seed)
    below = train(piece.base(), options) if piece.kind == "top" else None
    fixed = Fixed(below, {} if name is None else {name: network})
    recipe = LayersRecipe((layer,), piece.beta, crop=material.crop)
    folder = options.work / f"{piece.name}.training"
    codec = train_layers(data, recipe, schedule, Work(folder, resume=True), fixed).codec
    codec.save(file)
    return codec


def measure(piece, codec, options):
    """A row: bits of each layer in packets, their estimate, and how well the layer serves its task.

    drawn: the same figures over pictures drawn at random, as often as there are; the draws are the same in every row.
    """
    material = piece.of.material
    pictures = material.test_pictures(options)
    own = codec.layers[-1].name
    bits, estimate, whole, decoded, previews, stored = {}, {}, [], [], [], []
    for number in range(len(pictures)):
        stored.append(pictures[number].pixels)
        packet = codec.compress(stored[-1])
        found = split_picture(packet, len(codec.layers))
        whole.append(8 * len(packet))
        begun = codec.begin(packet)
        for place, (name, told) in enumerate(codec.pictures.code_length(begun.symbols).items()):
            bits.setdefault(name, []).append(8 * len(found.layer(place)))
            estimate.setdefault(name, []).append(told)
        values = codec.pictures.values(begun, own)
        decoded.append(np.rint(values.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
        if piece.kind == "base":
            previews.append(codec.decompress(packet, own))
    task = SquaredError()
    if piece.task in TASKS:
        task = TASKS[piece.task](material.predictor(piece.task, options)[1])
    scores = score_pictures(PictureTask(pictures, task, "small"), decoded)
    drawn = draws(len(pictures), material.block)
    count = drawn.sum(axis=1)
    each = {"value": scores.values(drawn)} | {f"bits {name}": drawn @ told / count for name, told in bits.items()}
    row = {
        "seed": piece.seed,
        "kind": piece.kind,
        "task": piece.task,
        "reward": piece.reward,
        "beta": piece.beta,
        "metric": task.metric,
        "value": scores.value,
        "bits": {name: float(np.mean(told)) for name, told in bits.items()},
        "estimate_bits": {name: float(np.mean(told)) for name, told in estimate.items()},
        "packet_bits": float(np.mean(whole)),
        "pixels": float(np.mean([each.shape[0] * each.shape[1] for each in stored])),
        "fingerprint": codec.fingerprint[:12],
    }
    if piece.kind == "base":
        row["stored_value"] = score_pictures(PictureTask(pictures, task, "small"), stored).value
        scores = score_pictures(PictureTask(pictures, SquaredError(), "small"), previews)
        row["preview_psnr"], each["preview_psnr"] = scores.value, scores.values(drawn)
    return row | {"drawn": {name: np.round(values, 5).tolist() for name, values in each.items()}}


def draws(count, block):
    """(DRAWS, count) how often each picture counts; those of a block are drawn together."""
    blocks = np.arange(count) // block
    whole = blocks[-1] + 1
    return np.random.default_rng(0).multinomial(whole, np.full(whole, 1 / whole), DRAWS)[:, blocks]


def described(options):
    """Of each material, what it was trained and measured with."""
    found = {}
    for on in dict.fromkeys(EXPERIMENTS[name].on for name in options.experiments):
        of = MATERIALS[on]
        found[on] = {"steps": options.steps or of.steps, "crop": of.crop, "batch": of.batch, "block": of.block}
        found[on]["test"] = len(of.test_pictures(options))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "layers")
    parser.add_argument("--data", type=Path, help="of real sets")
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(SCENES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one process for each is quicker")
    parser.add_argument("--steps", type=int, help="of a training from fresh weights; without it, those of the material")
    parser.add_argument("--scenes", type=int, default=4000, help="to train on, others for each seed")
    parser.add_argument("--test", type=int, help="unseen pictures to measure on; without it, those of the material")
    parser.add_argument("--summary", action="store_true", help="train nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    rows, todo = [], pieces(options)
    for number, piece in enumerate(todo, 1):
        kept = options.work / f"{piece.name}.json"
        if not kept.exists() and not options.summary:
            kept.write_text(json.dumps(measure(piece, train(piece, options), options)))
            print(f"{number} of {len(todo)}: {piece.name}", flush=True)
        if kept.exists():
            rows.append({"experiment": piece.experiment, **json.loads(kept.read_text())})
    made = stamp("numpy", "torch", "constriction", seed=options.seeds)
    write_summary(rows, {"materials": described(options), **made}, options.out)


if __name__ == "__main__":
    main()

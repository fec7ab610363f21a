"""A base for a task and layers on top of it, on procedural scenes: what conditions and previews are worth, in files.

    python benchmarks/layers/run.py --work W [--out benchmarks/results/layers] [--experiments ...] [--seeds 0 1 2]
    python benchmarks/layers/run.py --work W --summary          # tables and plots of what is there already

The three experiments of "Towards task-compatible compressible representations" (de Andrade and Bajic, 2024): pictures
over detection, pictures over depth, segmentation over depth. For each seed:

    base(reward, beta)      for rewards on the preview (0 is the baseline) and four prices of a bit
    top(reward, beta)       conditional on the base of the middle price, which stays as it is
    free(beta)              the same layer without any other: alone, and what simulcast sends beside the base

A layer for pictures starts from fresh weights at the middle price; what is for a task begins with a layer of its kind
for pictures, and each other price with its neighbour. So conditional and unconditional layers have had the same steps.
Predictors are small ones, trained on scenes as they are and frozen (benchmarks/train_predictor.py makes them where W
has none). Every row is of real packets of unseen scenes. Each training is a piece of its own: run again, what is in
W is not made again, and a training that was stopped goes on.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from summary import write_summary

sys.path.insert(0, str(Path(__file__).parents[1]))
from stamp import stamp

import taskcodec
from taskcodec.coding.picture import split_picture
from taskcodec.data.dense.scenes import Scenes
from taskcodec.distortions.tasks import Depth, Detection, Segmentation, SquaredError
from taskcodec.engines.train.pictures.data import known
from taskcodec.evaluation.dense.of_task import PictureTask, score_pictures
from taskcodec.fitting.gradient.pictures.compressor import Fixed
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from taskcodec.fitting.gradient.training import Work
from taskcodec.transforms.predictors.saved import load_small

ROOT = Path(__file__).parents[2]
SIDE = 64
ANALYSIS = NetworkChoice("light", {"widths": [24, 48], "latent": 32, "blocks": 1, "narrow": 2})
SYNTHESIS = NetworkChoice("light_synthesis")
ENTROPY = {"side": 16, "hyper": 32, "context": 32}
TASKS = {"detection": Detection, "depth": Depth, "segmentation": Segmentation}
BETAS = {
    "detection": (1.0, 3.0, 8.0, 25.0),
    "depth": (0.05, 0.15, 0.4, 1.2),
    "segmentation": (0.3, 0.8, 2.0, 6.0),
    "mse": (0.0003, 0.001, 0.003, 0.01),
}
"""Prices of a bit a pixel, in units of each distortion."""
EXPERIMENTS = {
    "picture_over_detection": ("detection", "mse"),
    "picture_over_depth": ("depth", "mse"),
    "segmentation_over_depth": ("depth", "segmentation"),
}
REWARDS = {"detection": (0.0, 150.0), "depth": (0.0, 5.0)}
"""On the squared error of the preview, which is a hundredth to a twentieth; 0 is the baseline."""
DRAWS = 200
"""Of scenes, for intervals."""
MIDDLE = 1
"""The place, among its prices, of the base that tops are trained on."""


@dataclass(frozen=True)
class Piece:
    """One training. kind: base, top or free; reward: on the base's preview; place: among the prices."""

    experiment: str
    seed: int
    kind: str
    reward: float
    place: int

    @property
    def task(self):
        return EXPERIMENTS[self.experiment][self.kind != "base"]

    @property
    def beta(self):
        return BETAS[self.task][self.place]

    @property
    def name(self):
        """The same for what experiments share."""
        over = f"over-{EXPERIMENTS[self.experiment][0]}-" if self.kind == "top" else ""
        reward = "" if self.kind == "free" else f"-r{self.reward:g}"
        return f"{self.kind}-{over}{self.task}{reward}-b{self.place}-s{self.seed}"

    def base(self):
        return replace(self, kind="base", place=MIDDLE)

    def begin(self):
        """The piece whose weights it begins with; None: fresh ones."""
        if self.place != MIDDLE:
            return replace(self, place=self.place + (1 if self.place < MIDDLE else -1))
        if self.task == "mse":
            return None
        if self.kind == "base":
            return replace(self, experiment="picture_over_depth", kind="free", reward=0.0)
        return replace(self, experiment="picture_over_depth")

    def steps(self, options):
        """Of its training: fresh ones take all, a new task half, a new price a fifth."""
        begin = self.begin()
        return max(2, options.steps // (1 if begin is None else 5 if begin.task == self.task else 2))


def pieces(options):
    """In an order in which early ones say something already: seed by seed, bases first."""
    return [
        Piece(experiment, seed, kind, reward, place)
        for seed in options.seeds
        for experiment in options.experiments
        for kind in ("base", "top", "free")
        for reward in (REWARDS[EXPERIMENTS[experiment][0]] if kind != "free" else (0.0,))
        for place in sorted(range(len(BETAS["mse"])), key=lambda place: abs(place - MIDDLE))
    ]


def predictor_of(task, options):
    """Its file, made where it is not there."""
    file = options.work / f"{task}.safetensors"
    if not file.exists():
        script = ROOT / "benchmarks" / "train_predictor.py"
        short = ["--steps", str(options.steps)] if options.steps < 500 else []
        places = {"work": f"{task}.predictor", "out": file.name, "results": f"{task}.results.json"}
        named = [part for key, name in places.items() for part in (f"--{key}", options.work / name)]
        command = [sys.executable, script, task, *named, *short]
        subprocess.run([str(each) for each in command], check=True)
    return str(file)


def train(piece, options):
    """The piece's codec, from W or trained."""
    file = options.work / f"{piece.name}.codec"
    if file.exists():
        return taskcodec.load_codec(file)
    name = predictor_of(piece.task, options) if piece.task in TASKS else None
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
    scenes = Scenes(options.scenes, SIDE, SIDE, seed=100 + piece.seed)
    data = PictureSet([known(scenes[i]) for i in range(len(scenes))], {"segmentation": len(scenes.label_classes)})
    steps, rate = piece.steps(options), 3e-3 if begin is None else 1e-3
    schedule = Schedule(steps, 8, rate, warmup=min(50, steps), checkpoint_every=250, seed=piece.seed)
    below = train(piece.base(), options) if piece.kind == "top" else None
    fixed = Fixed(below, {} if name is None else {name: load_small(name)[0]})
    recipe = LayersRecipe((layer,), piece.beta, crop=SIDE)
    work = Work(options.work / f"{piece.name}.training", resume=True)
    codec = train_layers(data, recipe, schedule, work, fixed).codec
    codec.save(file)
    return codec


def measure(piece, codec, options):
    """A row: bits of each layer in packets, their estimate, and how well the layer serves its task.

    drawn: the same figures over scenes drawn at random, as often as there are; the draws are the same in every row.
    """
    scenes = Scenes(options.test, SIDE, SIDE, seed=3)
    own = codec.layers[-1].name
    bits, estimate, whole, decoded, previews = {}, {}, [], [], []
    for number in range(len(scenes)):
        packet = codec.compress(scenes[number].pixels)
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
        task = TASKS[piece.task](load_small(predictor_of(piece.task, options))[0])
    scores = score_pictures(PictureTask(scenes, task, "small"), decoded)
    drawn = np.random.default_rng(0).multinomial(len(scenes), np.full(len(scenes), 1 / len(scenes)), DRAWS)
    each = {"value": scores.values(drawn)} | {f"bits {name}": drawn @ told / len(scenes) for name, told in bits.items()}
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
        "pixels": SIDE * SIDE,
        "fingerprint": codec.fingerprint[:12],
    }
    if previews:
        scores = score_pictures(PictureTask(scenes, SquaredError(), "small"), previews)
        row["preview_psnr"], each["preview_psnr"] = scores.value, scores.values(drawn)
    return row | {"drawn": {name: np.round(values, 5).tolist() for name, values in each.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "layers")
    parser.add_argument("--experiments", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one process for each is quicker")
    parser.add_argument("--steps", type=int, default=2000, help="of a training from fresh weights")
    parser.add_argument("--scenes", type=int, default=4000, help="to train on, others for each seed")
    parser.add_argument("--test", type=int, default=300, help="unseen scenes to measure on")
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
    write_summary(rows, {"steps": options.steps, "scenes": options.scenes, "test": options.test, **made}, options.out)


if __name__ == "__main__":
    main()
